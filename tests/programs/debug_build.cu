// Built with -G: PTX with line tables and debug sections, no optimisation, every variable in local
// memory.
#include "check.h"

struct Particle {
  float position[3];
  int age;
};

__device__ float energy(const Particle& p) {
  float sum = 0;
  for (int k = 0; k < 3; ++k) sum += p.position[k] * p.position[k];
  return sum * p.age;
}

__global__ void step(Particle* particles, float* energies, int n) {
  __shared__ float block_energy[64];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  block_energy[threadIdx.x] = 0;
  if (i < n) {
    Particle p = particles[i];
    for (int k = 0; k < 3; ++k) p.position[k] += k;
    ++p.age;
    particles[i] = p;
    block_energy[threadIdx.x] = energy(p);
  }
  __syncthreads();
  for (int half = 32; half > 0; half /= 2) {
    if (threadIdx.x < half) block_energy[threadIdx.x] += block_energy[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) energies[blockIdx.x] = block_energy[0];
}

int main() {
  const int n = 150, blocks = 3;
  std::vector<Particle> host(n);
  for (int i = 0; i < n; ++i) host[i] = {{float(i % 5), float(i % 3), 1}, i % 4};
  check::DeviceArray<Particle> particles(host);
  check::DeviceArray<float> energies(blocks);
  step<<<blocks, 64>>>(particles, energies, n);
  KERNEL_OK();
  const auto after = particles.host();
  const auto sums = energies.host();
  std::vector<float> expected(blocks);
  for (int i = 0; i < n; ++i) {
    float sum = 0;
    for (int k = 0; k < 3; ++k) {
      EXPECT_EQ(after[i].position[k], host[i].position[k] + k, "%d", i);
      sum += after[i].position[k] * after[i].position[k];
    }
    EXPECT_EQ(after[i].age, host[i].age + 1, "%d", i);
    expected[i / 64] += sum * after[i].age;
  }
  for (int b = 0; b < blocks; ++b) EXPECT_EQ(sums[b], expected[b], "%d", b);
  return check::finish("debug_build");
}
