// What the two translation units of relocatable_code share.
#pragma once

struct Shared {
  int base;
  float scale;
};

extern __device__ int calls;
extern __constant__ Shared settings;
__device__ float transform(int x);
__device__ int dispatch(int (*function)(int), int x);
void launch_in_other_unit(float* out, int n);
void configure(int base, float scale);
