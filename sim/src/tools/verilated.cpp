// Runs a test bench that Verilator made out of hierarchical blocks, which its own main function cannot be part of.
#include <memory>

#include "Vbench.h"
#include "verilated.h"

int main(int argc, char** argv) {
    const auto context = std::make_unique<VerilatedContext>();
    context->commandArgs(argc, argv);
    const auto bench = std::make_unique<Vbench>(context.get());
    bench->eval();
    while (!context->gotFinish() && bench->eventsPending()) {
        context->time(bench->nextTimeSlot());
        bench->eval();
    }
    bench->final();
    return 0;
}
