module hwgen_full_adder (
  input  wire A,
  input  wire B,
  input  wire C,
  output wire X,
  output wire Y
);
`ifdef HWGEN_CELLS_LP65
  FA_X1 adder (.A(A), .B(B), .CI(C), .S(Y), .CO(X));
`else
  assign X = (A & B) | (C & (A ^ B));
  assign Y = A ^ B ^ C;
`endif
endmodule
