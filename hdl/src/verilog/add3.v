// y = a + b + c modulo 2^WIDTH; with SUBTRACT 1 c is subtracted, with 2 b and c.
//
// Where @MACRO@ is defined, out of the cells of AMD's parts: one LUT6_2 a bit: O5 is the majority of the three bits, which goes to the next bit up; O6 is the parity of the three
// and of the majority from below, which selects whether the carry passes. A subtracted operand is inverted in the
// table; the ones that make its two's complement enter at the carry chain and in place of the lowest majority.
/* verilator lint_off DECLFILENAME */
/* verilator lint_off UNOPTFLAT */
/* verilator lint_off UNUSED */
module hwgen_add3 #(
  parameter WIDTH = 1,
  parameter SUBTRACT = 0
) (
  input  wire [WIDTH-1:0] a,
  input  wire [WIDTH-1:0] b,
  input  wire [WIDTH-1:0] c,
  output wire [WIDTH-1:0] y
);
`ifdef @MACRO@
  localparam CELLS = (WIDTH + @BITS@ - 1) / @BITS@;
  localparam [31:0] MAJORITY = SUBTRACT == 0 ? 32'hE8E8E8E8 : SUBTRACT == 1 ? 32'h8E8E8E8E : 32'h2B2B2B2B;
  localparam [31:0] PARITY = SUBTRACT == 1 ? 32'h96699669 : 32'h69966996;
  wire [@BITS@*CELLS:0] majority;
  wire [@BITS@*CELLS:0] carry;
  wire [@BITS@*CELLS-1:0] parity;
  wire [@BITS@*CELLS-1:0] sum;
  assign majority[0] = SUBTRACT == 2;
  assign carry[0] = SUBTRACT != 0;
  assign y = sum[WIDTH-1:0];
  genvar i;
  generate
    for (i = 0; i < @BITS@ * CELLS; i = i + 1) begin : bits
      if (i < WIDTH)
        LUT6_2 #(.INIT({PARITY, MAJORITY})) lut (
          .I0(a[i]), .I1(b[i]), .I2(c[i]), .I3(majority[i]), .I4(1'b0), .I5(1'b1),
          .O5(majority[i+1]), .O6(parity[i])
        );
      else begin : none
        assign majority[i+1] = 1'b0;
        assign parity[i] = 1'b0;
      end
    end
    for (i = 0; i < CELLS; i = i + 1) begin : chain
@CARRY@
    end
  endgenerate
`else
  assign y = SUBTRACT == 0 ? a + b + c : SUBTRACT == 1 ? a + b - c : a - b - c;
`endif
endmodule

`ifdef @MACRO@
`ifndef SYNTHESIS
// What simulators without the vendor's models take for the two cells.
module LUT6_2 #(
  parameter [63:0] INIT = 64'd0
) (
  input  wire I0,
  input  wire I1,
  input  wire I2,
  input  wire I3,
  input  wire I4,
  input  wire I5,
  output wire O5,
  output wire O6
);
  wire [63:0] table6 = INIT;
  wire [31:0] table5 = INIT[31:0];
  assign O5 = table5[{I4, I3, I2, I1, I0}];
  assign O6 = table6[{I5, I4, I3, I2, I1, I0}];
endmodule

module @CELL@ (
@ENTRY@
  input  wire [@BITS@-1:0] DI,
  input  wire [@BITS@-1:0] S,
  output wire [@BITS@-1:0] O,
  output wire [@BITS@-1:0] CO
);
  wire [@BITS@:0] carry;
  assign carry[0] = @FIRST@;
  assign O = S ^ carry[@BITS@-1:0];
  assign CO = carry[@BITS@:1];
  genvar i;
  generate
    for (i = 0; i < @BITS@; i = i + 1) begin : bits
      assign carry[i+1] = S[i] ? carry[i] : DI[i];
    end
  endgenerate
endmodule
`endif
`endif
