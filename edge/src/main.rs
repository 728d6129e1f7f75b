//! Program `kaliun-edge`.

fn main() -> std::process::ExitCode {
    kaliun_edge::cli::main()
}
