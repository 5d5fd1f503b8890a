// printf in kernels: every conversion nvcc's vprintf takes, the return value, order within a thread,
// and that the text appears at the next synchronisation.
#include <unistd.h>

#include <algorithm>

#include "check.h"

__global__ void formats() {
  printf("int %d %5d|%-5d|%05d %+d\n", -42, 42, 42, 42, 42);
  printf("unsigned %u %x %X %#x %o\n", 4000000000u, 48879u, 48879u, 255u, 8u);
  printf("long %lld %llu %llx\n", -(1ll << 60), ~0ull, 0xfeedfacecafeull);
  printf("float %f %.3f %10.2f|%e %g\n", 1.5f, 3.14159265, -2.5, 12345.678, 0.0001);
  printf("text %s %10s|%-6s|%c%%\n", "hello", "right", "left", 'z');
  printf("star %*d|%-*d|\n", 6, 7, 4, 8);
  printf("short %hd\n", (short)-3);
  printf("nothing else\n");
}

__global__ void per_thread(int* returned) {
  const int r = printf("thread %d of block %d\n", threadIdx.x, blockIdx.x);
  if (threadIdx.x % 2) printf("odd %d.%d\n", blockIdx.x, threadIdx.x);
  returned[blockIdx.x * blockDim.x + threadIdx.x] = r;
}

// Runs a function with standard output sent to a file and gives what was written.
template <typename F>
std::string captured(F body) {
  std::fflush(stdout);
  std::FILE* file = std::tmpfile();
  const int saved = dup(1);
  dup2(fileno(file), 1);
  body();
  std::fflush(stdout);
  dup2(saved, 1);
  close(saved);
  std::rewind(file);
  std::string text;
  char buffer[4096];
  for (size_t n; (n = std::fread(buffer, 1, sizeof(buffer), file)) > 0;) text.append(buffer, n);
  std::fclose(file);
  return text;
}

int main() {
  const std::string text = captured([] {
    formats<<<1, 1>>>();
    KERNEL_OK();
  });
  char expected[2048];
  int n = 0;
  const auto line = [&](const char* pattern, auto... values) {
    n += std::snprintf(expected + n, sizeof(expected) - n, pattern, values...);
  };
  line("int %d %5d|%-5d|%05d %+d\n", -42, 42, 42, 42, 42);
  line("unsigned %u %x %X %#x %o\n", 4000000000u, 48879u, 48879u, 255u, 8u);
  line("long %lld %llu %llx\n", -(1ll << 60), ~0ull, 0xfeedfacecafeull);
  line("float %f %.3f %10.2f|%e %g\n", 1.5f, 3.14159265, -2.5, 12345.678, 0.0001);
  line("text %s %10s|%-6s|%c%%\n", "hello", "right", "left", 'z');
  line("star %*d|%-*d|\n", 6, 7, 4, 8);
  line("short %hd\n", (short)-3);
  line("%s\n", "nothing else");
  EXPECT_EQ(text, std::string(expected));

  check::DeviceArray<int> returned(3 * 40);
  const std::string lines = captured([&] {
    per_thread<<<3, 40>>>(returned);
    KERNEL_OK();
  });
  std::vector<std::string> seen, wanted;
  std::istringstream stream(lines);
  for (std::string one; std::getline(stream, one);) seen.push_back(one);
  for (int b = 0; b < 3; ++b) {
    for (int t = 0; t < 40; ++t) {
      wanted.push_back("thread " + std::to_string(t) + " of block " + std::to_string(b));
      if (t % 2) wanted.push_back("odd " + std::to_string(b) + "." + std::to_string(t));
    }
  }
  // A thread's own lines stay in order.
  for (int t = 1; t < 40; t += 2) {
    const auto first =
        std::find(seen.begin(), seen.end(), "thread " + std::to_string(t) + " of block 1");
    EXPECT(std::find(first, seen.end(), "odd 1." + std::to_string(t)) != seen.end());
  }
  std::sort(seen.begin(), seen.end());
  std::sort(wanted.begin(), wanted.end());
  EXPECT_EQ(seen.size(), wanted.size());
  EXPECT(seen == wanted);
  for (const int r : returned.host()) EXPECT_EQ(r, 2);
  return check::finish("device_printf");
}
