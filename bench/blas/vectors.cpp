// Levels 1 and 2, and level 3 besides gemm, against other libraries, all through their CBLAS:
//   bench_blas_vectors LIBGUDA_BLAS [--threads N] [--only TEXT] [--rounds N] NAME=PATH[,VARIABLE=VALUE...]...
// Samples of all libraries are interleaved and the best of each counts. Prints GB/s (levels 1 and 2) or
// GFLOP/s of GUDA and its ratio to the best other library.
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr int kColumnMajor = 102, kNo = 111, kTrans = 112, kUpper = 121, kLower = 122,
              kNonUnit = 131, kLeft = 141, kRight = 142;

struct Library {
  std::string name;
  void* handle = nullptr;

  void set_threads(int threads) const {
    for (const char* symbol :
         {"openblas_set_num_threads", "MKL_Set_Num_Threads", "guda_blas_set_threads"})
      if (auto* set = reinterpret_cast<void (*)(int)>(dlsym(handle, symbol))) return set(threads);
    if (auto* set =
            reinterpret_cast<void (*)(int64_t)>(dlsym(handle, "bli_thread_set_num_threads")))
      set(threads);
  }
};

Library load(const std::string& description) {
  std::istringstream fields(description);
  std::string field;
  std::string path;
  Library library;
  while (std::getline(fields, field, ',')) {
    const size_t equals = field.find('=');
    if (equals == std::string::npos) continue;
    if (path.empty()) {
      library.name = field.substr(0, equals);
      path = field.substr(equals + 1);
    } else {
      setenv(field.substr(0, equals).c_str(), field.substr(equals + 1).c_str(), 1);
    }
  }
  library.handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  if (library.handle == nullptr) std::fprintf(stderr, "%s: %s\n", library.name.c_str(), dlerror());
  return library;
}

double now() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

// One routine at one size; `call` takes the library's function.
struct Case {
  std::string name, function;
  double work;  // bytes or flops of one call
  bool flops;
  std::function<void(void*)> call;
};

struct Memory {
  std::vector<float> s;
  std::vector<double> d;
};

template <class T>
T* data(Memory& memory) {
  if constexpr (std::is_same_v<T, float>)
    return memory.s.data();
  else
    return memory.d.data();
}

template <class F>
F* as(void* function) {
  return reinterpret_cast<F*>(function);
}

template <class T>
void add_cases(std::vector<Case>& cases, Memory& memory, char letter) {
  const std::string prefix = std::string("cblas_") + letter;
  const auto title = [&](const char* name, const std::string& size) {
    return std::string(1, letter) + name + " " + size;
  };
  constexpr double element = sizeof(T);
  T* base = data<T>(memory);
  const size_t room = sizeof(T) == 4 ? memory.s.size() : memory.d.size();

  for (const double bytes : {16e3, 400e3, 8e6, 128e6}) {
    const int n = static_cast<int>(bytes / element / 2);
    T* x = base;
    T* y = base + n + 64;
    const std::string size = "n=" + std::to_string(n);
    cases.push_back({title("axpy", size), prefix + "axpy", 3 * n * element, false, [=](void* f) {
                       as<void(int, T, const T*, int, T*, int)>(f)(n, T(1e-9), x, 1, y, 1);
                     }});
    cases.push_back({title("dot", size), prefix + "dot", 2 * n * element, false,
                     [=](void* f) { as<T(int, const T*, int, const T*, int)>(f)(n, x, 1, y, 1); }});
    cases.push_back({title("scal", size), prefix + "scal", 2 * n * element, false,
                     [=](void* f) { as<void(int, T, T*, int)>(f)(n, T(-1), x, 1); }});
    cases.push_back({title("copy", size), prefix + "copy", 2 * n * element, false,
                     [=](void* f) { as<void(int, const T*, int, T*, int)>(f)(n, x, 1, y, 1); }});
    cases.push_back({title("swap", size), prefix + "swap", 4 * n * element, false,
                     [=](void* f) { as<void(int, T*, int, T*, int)>(f)(n, x, 1, y, 1); }});
    cases.push_back({title("rot", size), prefix + "rot", 4 * n * element, false, [=](void* f) {
                       as<void(int, T*, int, T*, int, T, T)>(f)(n, x, 1, y, 1, T(0.8), T(0.6));
                     }});
    cases.push_back({title("nrm2", size), prefix + "nrm2", n * element, false,
                     [=](void* f) { as<T(int, const T*, int)>(f)(n, x, 1); }});
    cases.push_back({title("asum", size), prefix + "asum", n * element, false,
                     [=](void* f) { as<T(int, const T*, int)>(f)(n, x, 1); }});
    cases.push_back({std::string("i") + letter + "amax " + size,
                     std::string("cblas_i") + letter + "amax", n * element, false,
                     [=](void* f) { as<size_t(int, const T*, int)>(f)(n, x, 1); }});
  }

  for (const int bytes_log : {14, 18, 22, 27}) {
    const int n = static_cast<int>(std::sqrt(std::ldexp(1.0, bytes_log) / element)) / 8 * 8;
    T* x = base;
    T* y = base + n + 64;
    T* a = base + 4 * n + 256;
    if (static_cast<size_t>(a - base) + static_cast<size_t>(n) * n > room) continue;
    const std::string size = "n=" + std::to_string(n);
    const double square = static_cast<double>(n) * n * element, triangle = square / 2;
    for (const int trans : {kNo, kTrans})
      cases.push_back({title(trans == kNo ? "gemv N" : "gemv T", size), prefix + "gemv", square,
                       false, [=](void* f) {
                         as<void(int, int, int, int, T, const T*, int, const T*, int, T, T*, int)>(
                             f)(kColumnMajor, trans, n, n, T(1), a, n, x, 1, T(0), y, 1);
                       }});
    cases.push_back({title("ger", size), prefix + "ger", 2 * square, false, [=](void* f) {
                       as<void(int, int, int, T, const T*, int, const T*, int, T*, int)>(f)(
                           kColumnMajor, n, n, T(1e-9), x, 1, y, 1, a, n);
                     }});
    cases.push_back({title("symv L", size), prefix + "symv", triangle, false, [=](void* f) {
                       as<void(int, int, int, T, const T*, int, const T*, int, T, T*, int)>(f)(
                           kColumnMajor, kLower, n, T(1), a, n, x, 1, T(0), y, 1);
                     }});
    cases.push_back({title("spmv U", size), prefix + "spmv", triangle, false, [=](void* f) {
                       as<void(int, int, int, T, const T*, const T*, int, T, T*, int)>(f)(
                           kColumnMajor, kUpper, n, T(1), a, x, 1, T(0), y, 1);
                     }});
    cases.push_back({title("syr U", size), prefix + "syr", 2 * triangle, false, [=](void* f) {
                       as<void(int, int, int, T, const T*, int, T*, int)>(f)(
                           kColumnMajor, kUpper, n, T(1e-9), x, 1, a, n);
                     }});
    cases.push_back({title("syr2 L", size), prefix + "syr2", 2 * triangle, false, [=](void* f) {
                       as<void(int, int, int, T, const T*, int, const T*, int, T*, int)>(f)(
                           kColumnMajor, kLower, n, T(1e-9), x, 1, y, 1, a, n);
                     }});
    for (const int trans : {kNo, kTrans}) {
      const char* op = trans == kNo ? "N" : "T";
      using Triangular = void(int, int, int, int, int, const T*, int, T*, int);
      cases.push_back({title((std::string("trmv L") + op).c_str(), size), prefix + "trmv", triangle,
                       false, [=](void* f) {
                         std::fill_n(x, n, T(1));
                         as<Triangular>(f)(kColumnMajor, kLower, trans, kNonUnit, n, a, n, x, 1);
                       }});
      cases.push_back({title((std::string("trsv U") + op).c_str(), size), prefix + "trsv", triangle,
                       false, [=](void* f) {
                         std::fill_n(x, n, T(1));
                         as<Triangular>(f)(kColumnMajor, kUpper, trans, kNonUnit, n, a, n, x, 1);
                       }});
    }
    const int k = std::min(n / 4, 32);
    cases.push_back(
        {title("gbmv N", size), prefix + "gbmv", (2.0 * k + 1) * n * element, false, [=](void* f) {
           as<void(int, int, int, int, int, int, T, const T*, int, const T*, int, T, T*, int)>(f)(
               kColumnMajor, kNo, n, n, k, k, T(1), a, 2 * k + 1, x, 1, T(0), y, 1);
         }});
  }

  for (const int n : {16, 64, 256, 1024}) {
    T* a = base;
    T* b = a + n * n;
    T* c = b + n * n;
    const std::string size = "n=" + std::to_string(n);
    const double cube = static_cast<double>(n) * n * n;
    cases.push_back(
        {title("symm LL", size), prefix + "symm", 2 * cube, true, [=](void* f) {
           as<void(int, int, int, int, int, T, const T*, int, const T*, int, T, T*, int)>(f)(
               kColumnMajor, kLeft, kLower, n, n, T(1), a, n, b, n, T(0), c, n);
         }});
    cases.push_back({title("syrk LN", size), prefix + "syrk", cube, true, [=](void* f) {
                       as<void(int, int, int, int, int, T, const T*, int, T, T*, int)>(f)(
                           kColumnMajor, kLower, kNo, n, n, T(1), a, n, T(0), c, n);
                     }});
    cases.push_back(
        {title("syr2k UT", size), prefix + "syr2k", 2 * cube, true, [=](void* f) {
           as<void(int, int, int, int, int, T, const T*, int, const T*, int, T, T*, int)>(f)(
               kColumnMajor, kUpper, kTrans, n, n, T(1), a, n, b, n, T(0), c, n);
         }});
    for (const int side : {kLeft, kRight}) {
      const char* where = side == kLeft ? "L" : "R";
      using Triangular = void(int, int, int, int, int, int, int, T, const T*, int, T*, int);
      cases.push_back({title((std::string("trmm ") + where + "LN").c_str(), size), prefix + "trmm",
                       cube, true, [=](void* f) {
                         std::fill_n(b, n * n, T(1));
                         as<Triangular>(f)(kColumnMajor, side, kLower, kNo, kNonUnit, n, n, T(1), a,
                                           n, b, n);
                       }});
      cases.push_back({title((std::string("trsm ") + where + "UT").c_str(), size), prefix + "trsm",
                       cube, true, [=](void* f) {
                         std::fill_n(b, n * n, T(1));
                         as<Triangular>(f)(kColumnMajor, side, kUpper, kTrans, kNonUnit, n, n, T(1),
                                           a, n, b, n);
                       }});
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Library> libraries;
  std::string only;
  int threads = 1, rounds = 15;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--threads" && i + 1 < argc)
      threads = std::atoi(argv[++i]);
    else if (argument == "--only" && i + 1 < argc)
      only = argv[++i];
    else if (argument == "--rounds" && i + 1 < argc)
      rounds = std::atoi(argv[++i]);
    else
      libraries.push_back(load(libraries.empty() ? "guda=" + argument : argument));
  }
  std::erase_if(libraries, [](const Library& library) { return library.handle == nullptr; });
  if (libraries.empty() || libraries[0].name != "guda") {
    std::fprintf(stderr, "usage: bench_blas_vectors LIBGUDA_BLAS [options] NAME=PATH...\n");
    return 2;
  }
  for (const Library& library : libraries) library.set_threads(threads);

  Memory memory;
  memory.s.assign(36'000'000, 1.0f);
  memory.d.assign(18'000'000, 1.0);
  std::vector<Case> cases;
  add_cases<float>(cases, memory, 's');
  add_cases<double>(cases, memory, 'd');

  double log_sum = 0;
  int counted = 0, below = 0;
  std::printf("%-22s %10s %8s  (best other)\n", "", "guda", "ratio");
  for (const Case& item : cases) {
    if (item.name.find(only) == std::string::npos) continue;
    std::fill(memory.s.begin(), memory.s.end(), 1.0f);
    std::fill(memory.d.begin(), memory.d.end(), 1.0);
    std::vector<void*> functions;
    std::vector<double> best(libraries.size(), std::numeric_limits<double>::infinity());
    std::vector<int> repeats(libraries.size(), 1);
    for (const Library& library : libraries)
      functions.push_back(dlsym(library.handle, item.function.c_str()));
    for (size_t l = 0; l < libraries.size(); ++l) {
      if (functions[l] == nullptr) continue;
      item.call(functions[l]);
      const double start = now();
      item.call(functions[l]);
      repeats[l] = std::max(1, static_cast<int>(200e-6 / std::max(1e-8, now() - start)));
    }
    for (int round = 0; round < rounds; ++round) {
      for (size_t l = 0; l < libraries.size(); ++l) {
        if (functions[l] == nullptr) continue;
        const double start = now();
        for (int r = 0; r < repeats[l]; ++r) item.call(functions[l]);
        best[l] = std::min(best[l], (now() - start) / repeats[l]);
      }
    }
    size_t rival = 1;
    for (size_t l = 2; l < libraries.size(); ++l)
      if (best[l] < best[rival]) rival = l;
    const double rate = item.work / best[0] * 1e-9;
    if (libraries.size() < 2) {
      std::printf("%-22s %10.2f\n", item.name.c_str(), rate);
      continue;
    }
    const double ratio = best[rival] / best[0];
    std::printf("%-22s %10.2f %8.2f  %s\n", item.name.c_str(), rate, ratio,
                libraries[rival].name.c_str());
    std::fflush(stdout);
    log_sum += std::log(ratio);
    ++counted;
    below += ratio < 0.97;
  }
  if (counted > 0)
    std::printf("geometric mean %.2f over %d cases, %d of them below 0.97\n",
                std::exp(log_sum / counted), counted, below);
  return 0;
}
