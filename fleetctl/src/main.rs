//! Program `fleetctl`.

use kaliun_fleetctl::console::Console;
use kaliun_fleetctl::environment::Environment;
use kaliun_fleetctl::{Program, run};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let mut program = Program {
        environment: Environment::of_process(),
        console: Console::of_process(),
        clock: || jiff::Timestamp::now().as_millisecond(),
        second: Duration::from_secs(1),
    };
    // One thread is enough for one request at a time, and starts in microseconds.
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => ExitCode::from(runtime.block_on(run(std::env::args_os(), &mut program))),
        Err(error) => {
            program.console.talk(&format!(
                "error: cannot start: {error}\nhint: see whether the machine is out of file descriptors"
            ));
            ExitCode::FAILURE
        }
    }
}
