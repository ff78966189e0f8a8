//! One HTTP/1.1 request and its answer (RFC 9112), without redirects, cookies, compression or keep-alive.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use hinoban_protocols::http::{Extent, Limits, Request, exchange};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! let (mut client, mut server) = tokio::io::duplex(4096);
//! tokio::spawn(async move {
//!     let mut asked = [0; 1024];
//!     let _ = server.read(&mut asked).await;
//!     let _ = server.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
//! });
//! let request = Request::get("/health").host("example.com").prepare().expect("a plain request");
//! let response = exchange(&mut client, &request, Extent::Status, &Limits::default()).await.expect("an answer");
//! assert_eq!(response.status, 204);
//! # }
//! ```

pub(crate) mod base64;
mod error;
mod request;
mod response;

pub use error::{Error, Part};
pub use request::{Credentials, Invalid, Method, Prepared, Request, encode_target};
pub use response::{Extent, Limits, Response, exchange};
