// What the first product of a process costs: for each library a fresh process per sample, the libraries in
// turn. Loading the library does not count, whatever it does in its first call does.
//
//   bench_blas_first_call [--rounds N] NAME=LIBRARY...
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace guda::bench {
namespace {

constexpr int kSize = 64;
constexpr int kCalls = 50;

using Gemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int,
                      float, float*, int);

double microseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return 1e6 * static_cast<double>(now.tv_sec) + 1e-3 * static_cast<double>(now.tv_nsec);
}

// The child: prints the time of the first call and the least of those after it.
int measure(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  void* symbol = dlsym(library, "cblas_sgemm");
  if (symbol == nullptr) symbol = dlsym(library, "scipy_cblas_sgemm");
  if (symbol == nullptr) return 1;
  const auto gemm = reinterpret_cast<Gemm>(symbol);
  std::vector<float> a(kSize * kSize, 0.5f), b(kSize * kSize, 0.25f), c(kSize * kSize, 1.0f);
  double first = 0;
  double least = 1e30;
  for (int i = 0; i < kCalls; ++i) {
    const double start = microseconds();
    gemm(102, 111, 111, kSize, kSize, kSize, 1, a.data(), kSize, b.data(), kSize, 0, c.data(),
         kSize);
    const double time = microseconds() - start;
    if (i == 0) {
      first = time;
    } else {
      least = std::min(least, time);
    }
  }
  if (c[0] != 0.125f * kSize) return 1;
  std::printf("%f %f\n", first, least);
  return 0;
}

struct Contender {
  std::string name;
  std::string path;
  std::vector<double> first;
  std::vector<double> later;
};

// One fresh process; nothing is added when it fails.
void sample(const char* program, Contender& contender) {
  const std::string command =
      std::string(program) + " --child '" + contender.path + "'";  // paths of the command line
  std::FILE* child = popen(command.c_str(), "r");
  if (child == nullptr) return;
  double first = 0;
  double later = 0;
  const bool read = std::fscanf(child, "%lf %lf", &first, &later) == 2;
  if (pclose(child) == 0 && read) {
    contender.first.push_back(first);
    contender.later.push_back(later);
  }
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--child") == 0) return measure(argv[2]);
  int rounds = 50;
  std::vector<Contender> contenders;
  for (int i = 1; i < argc; ++i) {
    const std::string text = argv[i];
    if (text == "--rounds" && i + 1 < argc) {
      rounds = std::max(1, std::atoi(argv[++i]));
    } else if (const size_t equals = text.find('='); equals != std::string::npos) {
      contenders.push_back({text.substr(0, equals), text.substr(equals + 1), {}, {}});
    } else {
      std::fprintf(stderr, "unknown option %s\n", argv[i]);
      return 1;
    }
  }
  for (int round = 0; round < rounds; ++round) {
    for (Contender& contender : contenders) sample(argv[0], contender);
  }
  std::printf(
      "sgemm of 64 x 64 x 64, microseconds: first call (median, least), later calls (least)\n");
  for (const Contender& contender : contenders) {
    if (contender.first.empty()) {
      std::printf("%-10s failed\n", contender.name.c_str());
      continue;
    }
    std::printf("%-10s %8.1f %8.1f %8.2f\n", contender.name.c_str(), median(contender.first),
                *std::min_element(contender.first.begin(), contender.first.end()),
                *std::min_element(contender.later.begin(), contender.later.end()));
  }
  return 0;
}

}  // namespace
}  // namespace guda::bench

int main(int argc, char** argv) { return guda::bench::main(argc, argv); }
