// Hard multipliers as synthesis uses them for a product and nothing else: no registers, no sum. Yosys has no models of them.
// With any other parameters or modes the result is unknown.
module DSP48E2 (A, B, C, D, ACIN, BCIN, PCIN, CARRYIN, CARRYINSEL, INMODE, ALUMODE, OPMODE, P);
  parameter ACASCREG = 1, ADREG = 1, ALUMODEREG = 1, AREG = 1, BCASCREG = 1, BREG = 1, CARRYINREG = 1, CARRYINSELREG = 1,
    CREG = 1, DREG = 1, INMODEREG = 1, MREG = 1, OPMODEREG = 1, PREG = 1;
  parameter USE_MULT = "MULTIPLY", USE_SIMD = "ONE48", A_INPUT = "DIRECT", B_INPUT = "DIRECT", AMULTSEL = "A", BMULTSEL = "B";
  input signed [29:0] A;
  input signed [17:0] B;
  input [47:0] C, PCIN;
  input [26:0] D;
  input [29:0] ACIN;
  input [17:0] BCIN;
  input CARRYIN;
  input [2:0] CARRYINSEL;
  input [4:0] INMODE;
  input [3:0] ALUMODE;
  input [8:0] OPMODE;
  output [47:0] P;
  wire registers = ACASCREG + ADREG + ALUMODEREG + AREG + BCASCREG + BREG + CARRYINREG + CARRYINSELREG + CREG + DREG
    + INMODEREG + MREG + OPMODEREG + PREG != 0;
  wire other = USE_MULT != "MULTIPLY" || USE_SIMD != "ONE48" || A_INPUT != "DIRECT" || B_INPUT != "DIRECT"
    || AMULTSEL != "A" || BMULTSEL != "B";
  wire modes = {CARRYIN, CARRYINSEL, INMODE, ALUMODE} != 0 || OPMODE != 9'b000000101;
  wire signed [26:0] a = A[26:0];
  wire signed [47:0] product = a * B;
  assign P = registers || other || modes ? {48{1'bx}} : product;
endmodule

module MULT18X18D (A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17, B0, B1, B2, B3, B4,
    B5, B6, B7, B8, B9, B10, B11, B12, B13, B14, B15, B16, B17, C0, C1, C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12,
    C13, C14, C15, C16, C17, SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, P0, P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11,
    P12, P13, P14, P15, P16, P17, P18, P19, P20, P21, P22, P23, P24, P25, P26, P27, P28, P29, P30, P31, P32, P33, P34,
    P35);
  input A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17, B0, B1, B2, B3, B4, B5, B6,
    B7, B8, B9, B10, B11, B12, B13, B14, B15, B16, B17, C0, C1, C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13,
    C14, C15, C16, C17, SIGNEDA, SIGNEDB, SOURCEA, SOURCEB;
  output P0, P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11, P12, P13, P14, P15, P16, P17, P18, P19, P20, P21, P22, P23,
    P24, P25, P26, P27, P28, P29, P30, P31, P32, P33, P34, P35;
  wire signed [18:0] a = {SIGNEDA & A17, A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1,
    A0};
  wire signed [18:0] b = {SIGNEDB & B17, B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1,
    B0};
  wire signed [35:0] product = a * b;
  assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16, P15,
    P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = SOURCEA || SOURCEB ? {36{1'bx}} : product;
endmodule
