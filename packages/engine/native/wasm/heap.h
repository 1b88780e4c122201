#pragma once

namespace vulntune {

// Makes all that the module's data leave of the memory one free block, whatever was there.
void resetHeap();

}  // namespace vulntune
