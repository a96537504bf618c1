//! A target on an I²C bus with one byte to write and to read.
//!
//! Both lines are open drain: `sda_low` pulls the data line down, and nobody drives a line to 1.

use std::error::Error;
use std::sync::Arc;

use hdl::bench::Bench;
use hdl::dfg::Module;
use hdl::lang::Encoding;
use hdl::{ModuleBuilder, u};

/// The target's address.
const ADDRESS: i128 = 0x2a;

hdl::states! {
    /// What the target does between a start and a stop condition.
    enum Bus { Idle, Address, Acknowledge, Receive, Send, Listen }
}

fn target() -> Result<Arc<Module>, hdl::Diagnostics> {
    let m = ModuleBuilder::new("i2c_target");
    // each line comes through two registers from outside the clock; the third one holds what it was
    let line = |name: &str| {
        let mut at = m.input(name, 0..=1);
        let stages = ["first", "now", "before"].map(|stage| {
            let held = m.reg(&format!("{name}_{stage}"), 0..=1).reset(1);
            held.set(at);
            at = held.value();
            at
        });
        (stages[1], stages[2])
    };
    let ((scl, scl_before), (sda, sda_before)) = (line("scl"), line("sda"));
    let (rise, fall) = (scl & !scl_before, !scl & scl_before);
    let steady = scl & scl_before;
    let (shift, bits) = (m.reg("shift", u(8)), m.reg("bits", 0..=8));
    let (held, pull) = (m.reg("held", u(8)), m.reg("pull", 0..=1));
    let reads = m.reg("reads", 0..=1);
    let state = m.machine::<Bus>("state", Encoding::Binary);
    let next_bit = || {
        m.when(rise & bits.lt(8), || {
            shift.set(shift.slice(6, 0).concat(sda, 1));
            bits.set(bits + 1);
        });
    };
    let send = || {
        shift.set(held);
        bits.set(0);
        pull.set(!held.bit(7));
        state.go(Bus::Send);
    };
    let complete = fall & bits.equals(8);
    state.arms(|now| match now {
        Bus::Idle => pull.set(0),
        Bus::Address => {
            next_bit();
            m.when(complete & shift.slice(7, 1).equals(ADDRESS), || {
                pull.set(1);
                reads.set(shift.bit(0));
                state.go(Bus::Acknowledge);
            })
            .elif(complete, || state.go(Bus::Idle));
        }
        Bus::Acknowledge => {
            m.when(fall & reads, send).elif(fall, || {
                pull.set(0);
                bits.set(0);
                state.go(Bus::Receive);
            });
        }
        Bus::Receive => {
            next_bit();
            m.when(complete, || {
                held.set(shift);
                pull.set(1);
                state.go(Bus::Acknowledge);
            });
        }
        Bus::Send => {
            m.when(fall & bits.lt(7), || {
                shift.set(shift.slice(6, 0).concat(0, 1));
                pull.set(!shift.bit(6));
                bits.set(bits + 1);
            })
            .elif(fall, || {
                pull.set(0);
                state.go(Bus::Listen);
            });
        }
        Bus::Listen => {
            // the controller wants another byte if it acknowledges this one
            m.when(rise & sda, || state.go(Bus::Idle)).elif(fall, send);
        }
    });
    m.when(steady & sda_before & !sda, || {
        bits.set(0);
        pull.set(0);
        state.go(Bus::Address);
    })
    .elif(steady & sda & !sda_before, || state.go(Bus::Idle));
    m.output("sda_low", pull);
    m.output("content", held);
    m.finish()
}

/// A controller that moves the lines by hand.
struct Controller(Bench);

impl Controller {
    /// Both lines for a quarter of a bit; what the data line then is.
    fn lines(&mut self, scl: i128, sda: i128) -> i128 {
        self.0.set("scl", scl);
        for _ in 0..6 {
            let pulled = self.0.get("sda_low");
            self.0.set("sda", sda & (1 - pulled));
            self.0.step();
        }
        sda & (1 - self.0.get("sda_low"))
    }

    fn bit(&mut self, sda: i128) -> i128 {
        self.lines(0, sda);
        let seen = self.lines(1, sda);
        self.lines(0, sda);
        seen
    }

    fn start(&mut self) {
        self.lines(0, 1);
        self.lines(1, 1);
        self.lines(1, 0);
        self.lines(0, 0);
    }

    fn stop(&mut self) {
        self.lines(0, 0);
        self.lines(1, 0);
        self.lines(1, 1);
    }

    /// Sends a byte; whether the target acknowledged it.
    fn write(&mut self, byte: i128) -> bool {
        for k in (0..8).rev() {
            self.bit(byte >> k & 1);
        }
        self.bit(1) == 0
    }

    /// Reads a byte, and acknowledges it if another is wanted.
    fn read(&mut self, more: bool) -> i128 {
        let byte = (0..8).fold(0, |byte, _| byte << 1 | self.bit(1));
        self.bit(i128::from(!more));
        byte
    }
}

/// Runs the bench in the evaluator, and again in Icarus.
pub fn main() -> Result<(), Box<dyn Error>> {
    let mut bus = Controller(Bench::new(&target()?)?);
    bus.0.reset();
    bus.stop();
    for byte in [0x96, 0x01] {
        bus.start();
        assert!(bus.write(ADDRESS << 1) && bus.write(byte));
        bus.stop();
        assert_eq!(bus.0.get("content"), byte);
        bus.start();
        assert!(bus.write(ADDRESS << 1 | 1));
        assert_eq!((bus.read(true), bus.read(false)), (byte, byte));
        bus.stop();
    }
    bus.start();
    assert!(!bus.write(0x55 << 1), "another target's address");
    bus.stop();
    println!("two bytes written and read; Icarus: {:?}", bus.0.replay()?);
    Ok(())
}
