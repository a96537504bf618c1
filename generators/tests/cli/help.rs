//! The help texts, word for word.

use expect_test::expect_file;

use crate::support::Home;

#[test]
fn the_help_says_what_there_is() {
    expect_file!["help/hwgen.txt"].assert_eq(&Home::new().success(&["--help"]));
    expect_file!["help/encoder.txt"].assert_eq(&Home::new().success(&["encoder", "--help"]));
    for command in ["dense", "build", "export", "faults", "inspect", "run", "schema"] {
        expect_file![format!("help/{command}.txt")].assert_eq(&Home::new().success(&[command, "--help"]));
    }
    expect_file!["help/sim.txt"].assert_eq(&Home::new().success(&["sim", "--help"]));
    expect_file!["help/weights.txt"].assert_eq(&Home::new().success(&["weights", "--help"]));
}
