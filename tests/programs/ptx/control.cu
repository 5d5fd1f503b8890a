// Device code of control_test.cpp.
extern "C" __global__ void collatz(int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  unsigned v = i + 1;
  int steps = 0;
  while (v != 1) {
    v = v & 1 ? 3 * v + 1 : v / 2;
    if (++steps > 400) break;
  }
  out[i] = steps;
}

extern "C" __global__ void choose(const int* operation, const int* in, int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const int x = in[i];
  int r;
  switch (operation[i]) {
    case 0: r = x + 1; break;
    case 1: r = x * x; break;
    case 2: r = -x; break;
    case 3: r = x << 3; break;
    case 4: r = x ^ 0x5555; break;
    case 5: r = x / 3; break;
    default: r = 0;
  }
  out[i] = r;
}

__device__ __noinline__ int fibonacci(int n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

extern "C" __global__ void recurse(int* out) { out[threadIdx.x] = fibonacci(threadIdx.x % 12); }

extern "C" __global__ void warp_votes(const int* in, unsigned* out) {
  const int lane = threadIdx.x;
  const unsigned odd = __ballot_sync(~0u, in[lane] & 1);
  unsigned rank = 0;
  if (in[lane] & 1) rank = __popc(__activemask() & ((1u << lane) - 1)) + 1;
  out[lane * 3] = odd;
  out[lane * 3 + 1] = rank;
  out[lane * 3 + 2] = __match_any_sync(~0u, in[lane] % 4);
}
