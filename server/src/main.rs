//! The patchward binary.
#![recursion_limit = "256"]

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip_while(|arg| arg != "--listen").skip(1);
    let listen = args.next().unwrap_or_else(|| "127.0.0.1:8480".to_owned());
    let listener = tokio::net::TcpListener::bind(listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, server::router()).await?;
    Ok(())
}
