// Classes with virtual functions, built on the device with placement new and called per lane.
#include <new>

#include "check.h"

class Shape {
 public:
  __device__ virtual float area() const = 0;
  __device__ virtual int sides() const { return 0; }
  __device__ virtual ~Shape() {}
};

class Circle : public Shape {
 public:
  __device__ explicit Circle(float r) : r_(r) {}
  __device__ float area() const override { return 3.0f * r_ * r_; }

 private:
  float r_;
};

class Rectangle : public Shape {
 public:
  __device__ Rectangle(float w, float h) : w_(w), h_(h) {}
  __device__ float area() const override { return w_ * h_; }
  __device__ int sides() const override { return 4; }

 protected:
  float w_, h_;
};

class Square final : public Rectangle {
 public:
  __device__ explicit Square(float w) : Rectangle(w, w) {}
  __device__ int sides() const override { return 400 + static_cast<int>(w_); }
};

constexpr int kSlot = 32;

__global__ void build(unsigned char* storage, Shape** shapes, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  void* slot = storage + i * kSlot;
  switch (i % 3) {
    case 0: shapes[i] = new (slot) Circle(i); break;
    case 1: shapes[i] = new (slot) Rectangle(i, 2); break;
    default: shapes[i] = new (slot) Square(i); break;
  }
}

__global__ void measure(Shape* const* shapes, float* area, int* sides, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const Shape* shape = shapes[n - 1 - i];
  area[i] = shape->area();
  sides[i] = shape->sides();
}

int main() {
  const int n = 200;
  check::DeviceArray<unsigned char> storage(n * kSlot);
  check::DeviceArray<Shape*> shapes(n);
  check::DeviceArray<float> area(n);
  check::DeviceArray<int> sides(n);
  build<<<(n + 63) / 64, 64>>>(storage, shapes, n);
  KERNEL_OK();
  measure<<<(n + 63) / 64, 64>>>(shapes, area, sides, n);
  KERNEL_OK();
  const auto areas = area.host();
  const auto corners = sides.host();
  for (int i = 0; i < n; ++i) {
    const int k = n - 1 - i;
    const float expected = k % 3 == 0 ? 3.0f * k * k : k % 3 == 1 ? k * 2.0f : float(k) * k;
    EXPECT_EQ(areas[i], expected, "%d", i);
    EXPECT_EQ(corners[i], k % 3 == 0 ? 0 : k % 3 == 1 ? 4 : 400 + k, "%d", i);
  }
  return check::finish("virtual_functions");
}
