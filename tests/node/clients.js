// Generates the client of one generator from an OpenAPI document, checks the types of the program that uses
// it, and runs that program: `node clients.js GENERATOR DOCUMENT FOLDER`. The program's output is the output.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const [generator, document, folder] = process.argv.slice(2);

// Its command line cannot take the address from the document.
const orval = {
  daemun: {
    input: document,
    output: { target: "generated.ts", client: "fetch", baseUrl: { getBaseUrlFromSpecification: true } },
  },
};

const run = (program, ...options) => {
  const command = join(here, "node_modules/.bin", program);
  // What generators say goes past the program's output.
  const env = { ...process.env, DO_NOT_TRACK: "1", SCARF_ANALYTICS: "false" };
  try {
    execFileSync(command, options, { cwd: folder, env, stdio: "pipe" });
  } catch (error) {
    console.error(`${error.stdout}${error.stderr}`);
    throw error;
  }
};

mkdirSync(folder, { recursive: true });
symlinkSync(join(here, "node_modules"), join(folder, "node_modules"));
writeFileSync(join(folder, "package.json"), '{ "type": "commonjs" }');
copyFileSync(join(here, "clients", `${generator}.ts`), join(folder, "program.ts"));

switch (generator) {
  case "openapi_typescript":
    run("openapi-typescript", document, "-o", "generated.d.ts");
    break;
  case "hey_api":
    run("openapi-ts", "-i", document, "-o", "generated", "-c", "@hey-api/client-fetch");
    break;
  case "orval":
    writeFileSync(join(folder, "orval.config.js"), `module.exports = ${JSON.stringify(orval)};`);
    run("orval", "--config", "orval.config.js");
    break;
  default:
    throw new Error(`there is no program for ${generator}`);
}
const options = ["--strict", "--skipLibCheck", "--target", "es2022", "--lib", "es2022,dom,dom.iterable"];
run("tsc", "program.ts", ...options, "--module", "commonjs", "--moduleResolution", "node10", "--types", "node");
execFileSync(process.execPath, ["program.js"], { cwd: folder, stdio: "inherit" });
