# Out-of-context synthesis and implementation: vivado -mode batch -source vivado.tcl [-tclargs PART]
# Writes utilisation, timing and power to vivado/ and exits with 1 if the clock is not met.
cd [file dirname [file normalize [info script]]]
source design.tcl
if {$argc > 0} { set part [lindex $argv 0] }
file mkdir vivado

read_verilog $sources
read_xdc -mode out_of_context constraints.xdc
# sums of three numbers out of LUT6_2 and the carry chain's cells, where the design was made for them
synth_design -top $top -part $part -mode out_of_context -flatten_hierarchy rebuilt -verilog_define HWGEN_AMD_CELLS=1
report_utilization -file vivado/utilization_synth.rpt

opt_design
place_design
phys_opt_design
route_design

report_utilization -hierarchical -file vivado/utilization.rpt
report_timing_summary -max_paths 10 -file vivado/timing.rpt
report_power -file vivado/power.rpt
write_checkpoint -force vivado/routed.dcp

set paths [get_timing_paths -max_paths 1 -setup]
if {[llength $paths] == 0} {
    puts "no timed path"
    exit 0
}
set slack [get_property SLACK [lindex $paths 0]]
puts "worst slack $slack ns on $part"
exit [expr {$slack < 0}]
