//! What must not outlive this program: the programs that it started, and its temporary folders.
//!
//! Programs are started in groups of their own, so that a time limit ends all that they started; an interrupt from the
//! keyboard does not reach them therefore. [`end_with_signals`] ends them when this program is asked to end. When it is
//! killed, which it cannot notice, a shell does that sees the end of a pipe.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// Groups that run.
static GROUPS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());
/// Temporary folders that are there.
static FOLDERS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
/// Held by whoever must not be interrupted.
static UNINTERRUPTED: Mutex<()> = Mutex::new(());
/// Whether long work is to end, see [`stop`].
static STOPPED: AtomicBool = AtomicBool::new(false);
/// The pipe to the watching shell.
static WATCHER: Mutex<Option<ChildStdin>> = Mutex::new(None);

/// Reads `+ GROUP` and `- GROUP`, and at the end of the pipe ends the groups that are left.
const WATCH: &str = "groups=
while read -r change group; do
  case $change in
    +) groups=\"$groups $group\" ;;
    -) rest=
       for g in $groups; do [ \"$g\" = \"$group\" ] || rest=\"$rest $g\"; done
       groups=$rest ;;
  esac
done
for g in $groups; do kill -s KILL -- \"-$g\"; done";

/// A lock whose holder may have panicked: what it guards is whole after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on an interrupt or a request to terminate ends what this program started and removes its temporary folders
/// before it ends this program as it always did.
///
/// # Errors
/// The system refuses to tell of signals.
pub fn end_with_signals() -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            // all locks are held to the end: nothing new begins
            let _quiet = lock(&UNINTERRUPTED);
            let groups = lock(&GROUPS);
            groups.iter().copied().for_each(end_group);
            let folders = lock(&FOLDERS);
            folders.iter().for_each(|folder| drop(std::fs::remove_dir_all(folder)));
            let _ = emulate_default_handler(signal);
        }
    });
    Ok(())
}

/// Does something that is not to be left half done by [`end_with_signals`].
pub fn uninterrupted<T>(work: impl FnOnce() -> T) -> T {
    let _quiet = lock(&UNINTERRUPTED);
    work()
}

/// Ends all programs, lets none begin, and asks long work to end, until [`resume`]: for a host of this library whose
/// user interrupts a call.
pub fn stop() {
    let groups = lock(&GROUPS);
    STOPPED.store(true, Ordering::Relaxed);
    groups.iter().copied().for_each(end_group);
}

/// Work may begin again.
pub fn resume() {
    STOPPED.store(false, Ordering::Relaxed);
}

/// Whether long work is to end.
pub fn is_stopped() -> bool {
    STOPPED.load(Ordering::Relaxed)
}

/// Starts a program in a group of its own, which ends with this program.
pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    let mut groups = lock(&GROUPS);
    if is_stopped() {
        return Err(io::Error::new(io::ErrorKind::Interrupted, "the work was interrupted"));
    }
    let child = command.process_group(0).spawn()?;
    groups.insert(child.id());
    watch('+', child.id());
    Ok(child)
}

/// Ends whatever is left of the group of a program that has ended, or is to end.
pub(crate) fn end(child: &Child) {
    end_group(child.id());
}

/// Forgets the group of a program that was waited for: its number may be another's soon.
pub(crate) fn forget(child: &Child) {
    lock(&GROUPS).remove(&child.id());
    watch('-', child.id());
}

/// Removes a folder when this program is asked to end.
pub(crate) fn add_folder(folder: &Path) {
    lock(&FOLDERS).insert(folder.to_owned());
}

/// Leaves it alone from now on.
pub(crate) fn remove_folder(folder: &Path) {
    lock(&FOLDERS).remove(folder);
}

/// That nothing is left of it is fine.
fn end_group(group: u32) {
    if let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Tells the watching shell, which is started first if need be. A system without one only lacks what it would do.
fn watch(change: char, group: u32) {
    let mut watcher = lock(&WATCHER);
    if watcher.is_none() {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", WATCH]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        *watcher = shell.process_group(0).spawn().ok().and_then(|mut shell| shell.stdin.take());
    }
    if let Some(pipe) = watcher.as_mut() {
        let _ = writeln!(pipe, "{change} {group}");
    }
}
