# Synthesis, fitting and timing: quartus_sh -t quartus.tcl FAMILY [DEVICE]
# All data pins are virtual, so that a wide block fits any package. Reports go to quartus/.
if {[llength $argv] < 1} {
    puts stderr "usage: quartus_sh -t quartus.tcl FAMILY \[DEVICE\], such as \"Agilex 7\""
    exit 2
}
cd [file dirname [file normalize [info script]]]
source design.tcl
load_package flow

set folder [pwd]
file mkdir quartus
cd quartus
project_new $top -overwrite
set_global_assignment -name FAMILY [lindex $argv 0]
if {[llength $argv] > 1} { set_global_assignment -name DEVICE [lindex $argv 1] }
set_global_assignment -name TOP_LEVEL_ENTITY $top
foreach source $sources {
    set_global_assignment -name VERILOG_FILE [file normalize [file join $folder $source]]
}
set_global_assignment -name SDC_FILE [file join $folder quartus.sdc]
set_instance_assignment -name VIRTUAL_PIN ON -to *
if {$clock ne ""} { set_instance_assignment -name VIRTUAL_PIN OFF -to $clock }
execute_flow -compile
project_close
