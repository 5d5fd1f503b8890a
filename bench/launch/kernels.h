// What the launch benchmark enqueues; launch configuration and error checks stay on the device side.
#pragma once

namespace bench {

void launch_empty();
void launch_small(float* data);
float* allocate(int count);
void synchronise();

}  // namespace bench
