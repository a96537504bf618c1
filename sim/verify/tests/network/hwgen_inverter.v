module hwgen_inverter (
  input  wire A,
  output wire Y
);
`ifdef HWGEN_CELLS_LP65
  INV_X2 inverter (.A(A), .ZN(Y));
`else
  assign Y = ~A;
`endif
endmodule
