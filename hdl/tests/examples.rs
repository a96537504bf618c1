//! Each example's own bench, in the evaluator and, where it is installed, in Icarus.

macro_rules! examples {
    ($($name:ident $file:literal;)*) => {$(
        #[path = $file]
        mod $name;

        #[test]
        fn $name() {
            self::$name::main().unwrap();
        }
    )*};
}

examples! {
    axi_lite "../examples/axi_lite.rs";
    cordic "../examples/cordic.rs";
    fifo "../examples/fifo.rs";
    fir "../examples/fir.rs";
    i2c "../examples/i2c.rs";
    rv32i "../examples/rv32i.rs";
    sorting "../examples/sorting.rs";
    spi "../examples/spi.rs";
    uart "../examples/uart.rs";
}
