//! The life of a server: how it starts, what it survives, and how it stops.
