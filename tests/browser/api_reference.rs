//! The forms of the API reference that change something.

use crate::support::{Site, TestEnv, eventually, with_and_without_scripts};

#[with_and_without_scripts]
async fn a_request_is_tried_with_the_token_of_ones_choice(env: TestEnv) {
    let site = Site::opens();
    let ada = env.visitor(&site).await;
    ada.signs_up("ada@example.com").await;
    ada.opens("/api").await;
    let form = "form[data-method=PATCH][data-path='/api/account/user']";
    let (button, output) = (format!("{form} button"), format!("{form} output"));
    if !env.has_scripts {
        assert!(ada.sees(&format!("{form}[hidden]")).await, "a plain form cannot send a token");
        return;
    }

    ada.clicks(&button).await;
    let is_refused = async || ada.text(&output).await.starts_with("401 ");
    eventually("the cookies of the browser are not sent", is_refused).await;

    let token = ada.cookie("access").await.expect("a token");
    ada.clicks("#token").await;
    ada.presses(token.as_str()).await;
    ada.clicks(&button).await;
    let is_done = async || {
        let answer = ada.text(&output).await;
        answer.starts_with("200 ") && answer.contains("Ada Lovelace")
    };
    eventually("the example is accepted", is_done).await;
}
