//! The program `fondaco`: the server, its tools for operators, and the client.

fn main() {}
