//! Program `kaliun-edge-sim`.

fn main() -> std::process::ExitCode {
    kaliun_edge_sim::cli::main()
}
