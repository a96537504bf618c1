// Every addition on a carry chain of its own: left alone, Yosys merges them into compressors that take twice the LUTs.
// X and CO are connected so that no later pass takes the chain for an addition again.
(* techmap_celltype = "$add $sub" *)
module hwgen_carry_chain (A, B, Y);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  parameter _TECHMAP_CELLTYPE_ = "";
  localparam [0:0] SUBTRACTS = _TECHMAP_CELLTYPE_ == "$sub";
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  output [Y_WIDTH-1:0] Y;
  wire [Y_WIDTH-1:0] X, CO;
  \$alu #(
    .A_SIGNED(A_SIGNED), .B_SIGNED(B_SIGNED), .A_WIDTH(A_WIDTH), .B_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)
  ) chain (.A(A), .B(B), .CI(SUBTRACTS), .BI(SUBTRACTS), .X(X), .Y(Y), .CO(CO));
endmodule
