// Dense switches (brx.idx tables), sparse ones, fall-through and a default, uniform and divergent.
#include "check.h"

__host__ __device__ inline int dense(int op, int x) {
  switch (op) {
    case 0: return x + 11;
    case 1: return x * 3;
    case 2: x ^= 0x55;  // falls through
    case 3: return x - 7;
    case 4: return x << 2;
    case 5: return x >> 1;
    case 6: return -x;
    case 7: return x * x;
    case 8: return ~x;
    case 9: return x % 10;
    default: return 12345;
  }
}

__host__ __device__ inline int sparse(int key) {
  switch (key) {
    case -100: return 1;
    case 7: return 2;
    case 1000: return 3;
    case 65536: return 4;
    case 0x7fffffff: return 5;
    default: return key & 1 ? 6 : 7;
  }
}

// A tiny interpreter: a switch inside a loop, with state, as virtual machines have.
__host__ __device__ inline int interpret(const unsigned char* code, int length, int input) {
  int stack[8];
  int top = 0;
  int accumulator = input;
  for (int pc = 0; pc < length; ++pc) {
    switch (code[pc] & 7) {
      case 0: accumulator += code[pc] >> 3; break;
      case 1: stack[top++ & 7] = accumulator; break;
      case 2: accumulator ^= top > 0 ? stack[--top & 7] : 99; break;
      case 3: accumulator = accumulator * 5 + 1; break;
      case 4:
        if (accumulator & 1) ++pc;
        break;
      case 5: accumulator >>= 1; continue;
      case 6:
        if (accumulator < 0) return accumulator;
        break;
      case 7: accumulator -= pc; break;
    }
  }
  return accumulator;
}

__global__ void run(const unsigned char* code, int length, int uniform, int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const int keys[] = {-100, 7, 1000, 65536, 0x7fffffff, 8, 9};
  int key = keys[0];
  for (int k = 0; k < 7; ++k) key = i % 7 == k ? keys[k] : key;
  out[i] = dense(i % 12, i);
  out[n + i] = sparse(key);
  out[2 * n + i] = dense(uniform, i);
  out[3 * n + i] = interpret(code + i % 16, length, i);
}

int main() {
  const int n = 700, length = 60;
  std::vector<unsigned char> code(length + 16);
  check::Random random(4);
  for (auto& c : code) c = static_cast<unsigned char>(random.below(256));
  check::DeviceArray<unsigned char> device_code(code);
  check::DeviceArray<int> out(4 * n);
  const int keys[] = {-100, 7, 1000, 65536, 0x7fffffff, 8, 9};
  for (int uniform = -1; uniform < 11; ++uniform) {
    run<<<(n + 63) / 64, 64>>>(device_code, length, uniform, out, n);
    KERNEL_OK();
    const auto result = out.host();
    for (int i = 0; i < n; ++i) {
      EXPECT_EQ(result[i], dense(i % 12, i), "%d", i);
      EXPECT_EQ(result[n + i], sparse(keys[i % 7]), "%d", i);
      EXPECT_EQ(result[2 * n + i], dense(uniform, i), "%d", i);
      EXPECT_EQ(result[3 * n + i], interpret(code.data() + i % 16, length, i), "%d", i);
    }
  }
  return check::finish("switch_statement");
}
