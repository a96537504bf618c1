// Adders and compressors as chains and rows of single full adders, which become cells of a library afterwards.
(* techmap_celltype = "$alu" *)
module hwgen_map_alu (A, B, CI, BI, X, Y, CO);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  input CI, BI;
  output [Y_WIDTH-1:0] X, Y, CO;
  wire [Y_WIDTH-1:0] a, b;
  generate
    if (A_WIDTH == 0) assign a = 0;
    else \$pos #(.A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH), .Y_WIDTH(Y_WIDTH)) extend_a (.A(A), .Y(a));
    if (B_WIDTH == 0) assign b = 0;
    else \$pos #(.A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)) extend_b (.A(B), .Y(b));
  endgenerate
  wire [Y_WIDTH-1:0] addend = b ^ {Y_WIDTH{BI}};
  wire [Y_WIDTH:0] c;
  assign c[0] = CI;
  assign CO = c[Y_WIDTH:1];
  assign X = a ^ addend;
  genvar i;
  generate
    for (i = 0; i < Y_WIDTH; i = i + 1) begin : slice
      if (i < Y_WIDTH - 1)
        hwgen_full_adder adder (.A(a[i]), .B(addend[i]), .C(c[i]), .X(c[i+1]), .Y(Y[i]));
      else begin
        // the last carry is seldom used: gates, of which the unused half goes away
        assign c[i+1] = (a[i] & addend[i]) | (c[i] & (a[i] | addend[i]));
        assign Y[i] = X[i] ^ c[i];
      end
    end
  endgenerate
endmodule

(* techmap_celltype = "$fa" *)
module hwgen_map_fa (A, B, C, X, Y);
  parameter WIDTH = 1;
  input [WIDTH-1:0] A, B, C;
  output [WIDTH-1:0] X, Y;
  genvar i;
  generate
    for (i = 0; i < WIDTH; i = i + 1) begin : slice
      hwgen_full_adder adder (.A(A[i]), .B(B[i]), .C(C[i]), .X(X[i]), .Y(Y[i]));
    end
  endgenerate
endmodule
