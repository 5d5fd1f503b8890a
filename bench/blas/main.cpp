// GEMM of GUDA next to other libraries, interleaved in one process: per shape the best of many short
// samples, as a percentage of the machine's measured multiply-add peak and as a ratio to the best peer.
// Types: f32, f64, complex of both, bf16, f16, 8-bit integers, unsigned by signed ones; and f32 by 1, 3, 6 or
// 9 products of bf16 parts, whose peer is f32 itself.
//
//   bench_blas [--type sdczbhiu1369] [--threads N] [--seconds S] [--shape MxNxK[:NN|NT|TN|TT][:ld]]...
//              [--table] [--csv FILE] [--peer name=library.so[,VARIABLE=value...]]...
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "blas/gemm.h"
#include "peak.h"
#include "peers.h"

namespace guda::bench {
namespace {

struct Shape {
  int m, n, k;
  bool transpose_a = false;
  bool transpose_b = false;
  int pad = 0;  // added to leading dimensions
  int count = 1;
};

struct Contender {
  std::string name;
  std::function<void()> run;
  double best = 1e30;  // seconds of one product
};

double seconds(clockid_t clock = CLOCK_MONOTONIC) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Until the threads of the contender before have gone to sleep: libraries let theirs spin for a while, some
// for 200 ms, and they would take the processors of the next one.
void wait_for_rest() {
  for (int i = 0; i < 30; ++i) {
    const double before = seconds(CLOCK_PROCESS_CPUTIME_ID);
    const timespec pause{0, 12'000'000};  // longer than a tick, at which the time is counted
    nanosleep(&pause, nullptr);
    if (seconds(CLOCK_PROCESS_CPUTIME_ID) - before < 1e-3) return;
  }
}

// Samples long enough for the clock, short enough to fall between two interruptions. Where one product
// is too long for that, and one thread does it, the time that other processes take does not count.
// Several threads are woken by other products first.
void measure(std::vector<Contender>& contenders, double budget, int threads) {
  const double sample = threads == 1 ? 60e-6 : 500e-6;
  std::vector<int> repeat;
  clockid_t clock = CLOCK_MONOTONIC;
  for (Contender& c : contenders) {
    c.run();
    const double start = seconds();
    c.run();
    const double once = seconds() - start;
    repeat.push_back(static_cast<int>(std::clamp(sample / std::max(once, 1e-9), 1.0, 20000.0)));
    if (once > 1e-3 && threads == 1) clock = CLOCK_THREAD_CPUTIME_ID;
  }
  const double end = seconds() + budget * static_cast<double>(contenders.size());
  int rounds = 0;
  while (seconds() < end || rounds < 3) {
    ++rounds;
    for (size_t i = 0; i < contenders.size(); ++i) {
      if (threads > 1) wait_for_rest();
      const int warm_up = threads == 1 ? 1 : 2 * repeat[i];
      for (int r = 0; r < warm_up; ++r) contenders[i].run();
      const double start = seconds(clock);
      for (int r = 0; r < repeat[i]; ++r) contenders[i].run();
      contenders[i].best = std::min(contenders[i].best, (seconds(clock) - start) / repeat[i]);
    }
  }
}

// Starts on a cache line, as programs that care for speed have it.
template <class T>
class Matrix {
 public:
  /// Fills with values of the type that `type` stands for, between -0.5 and 0.5, or any bytes.
  Matrix(size_t size, char type, uint32_t seed)
      : values_(static_cast<T*>(std::aligned_alloc(4096, (size * sizeof(T) + 4095) / 4096 * 4096)),
                std::free) {
    uint32_t state = seed;
    const size_t words = size * sizeof(T) / 4;
    auto* to = reinterpret_cast<char*>(values_.get());
    for (size_t i = 0; i < words; ++i, to += 4) {
      state = state * 1664525u + 1013904223u;
      const float x = static_cast<float>(state >> 8) / 16777216.0f - 0.5f;
      const double wide = x;
      const uint32_t bf16 = 0x3e803e80u | (state & 0x807f807fu);
      const uint32_t f16 = 0x34003400u | (state & 0x83ff83ffu);
      switch (type) {
        case 'd':
        case 'z':
          if (i % 2 == 0 && i + 1 < words) std::memcpy(to, &wide, 8);
          break;
        case 'b': std::memcpy(to, &bf16, 4); break;
        case 'h': std::memcpy(to, &f16, 4); break;
        case 'i':
        case 'u': std::memcpy(to, &state, 4); break;
        default: std::memcpy(to, &x, 4); break;
      }
    }
  }
  T* data() { return values_.get(); }

 private:
  std::unique_ptr<T, void (*)(void*)> values_;
};

template <class T>
std::vector<Contender> contend(const Shape& s, const std::vector<Peer>& peers, void* a, void* b,
                               void* c) {
  const int lda = (s.transpose_a ? s.k : s.m) + s.pad;
  const int ldb = (s.transpose_b ? s.n : s.k) + s.pad;
  const int ldc = s.m + s.pad;
  const auto op = [](bool t) { return t ? blas::Transpose::yes : blas::Transpose::no; };
  std::vector<Contender> all;
  const auto* A = static_cast<const T*>(a);
  const auto* B = static_cast<const T*>(b);
  auto* C = static_cast<T*>(c);
  all.push_back({"guda", [=] {
                   blas::gemm<T>(op(s.transpose_a), op(s.transpose_b), s.m, s.n, s.k, T(1), A, lda,
                                 B, ldb, T(0), C, ldc);
                 }});
  const int ta = s.transpose_a ? 112 : 111;
  const int tb = s.transpose_b ? 112 : 111;
  for (const Peer& peer : peers) {
    if constexpr (std::is_same_v<T, float>) {
      if (peer.sgemm != nullptr) {
        all.push_back({peer.name, [=, f = peer.sgemm] {
                         f(102, ta, tb, s.m, s.n, s.k, 1, A, lda, B, ldb, 0, C, ldc);
                       }});
      } else if (peer.dnnl_sgemm != nullptr) {
        all.push_back({peer.name, [=, f = peer.dnnl_sgemm] {
                         f(s.transpose_b ? 'T' : 'N', s.transpose_a ? 'T' : 'N', s.n, s.m, s.k, 1,
                           B, ldb, A, lda, 0, C, ldc);
                       }});
      }
    } else if constexpr (std::is_same_v<T, double>) {
      if (peer.dgemm != nullptr) {
        all.push_back({peer.name, [=, f = peer.dgemm] {
                         f(102, ta, tb, s.m, s.n, s.k, 1, A, lda, B, ldb, 0, C, ldc);
                       }});
      }
    } else {
      auto* f = std::is_same_v<T, std::complex<float>> ? peer.cgemm : peer.zgemm;
      if (f != nullptr) {
        all.push_back({peer.name, [=] {
                         const T one(1);
                         const T zero(0);
                         f(102, ta, tb, s.m, s.n, s.k, &one, A, lda, B, ldb, &zero, C, ldc);
                       }});
      }
    }
  }
  return all;
}

blas::FloatProducts products_of(char type) {
  switch (type) {
    case '1': return blas::FloatProducts::bf16;
    case '3': return blas::FloatProducts::bf16x3;
    case '6': return blas::FloatProducts::bf16x6;
    case '9': return blas::FloatProducts::bf16x9;
    default: return blas::FloatProducts::full;
  }
}

/// Narrow types next to oneDNN's, where there is one; everything else has no peer.
std::vector<Contender> contend_narrow(char type, const Shape& s, const std::vector<Peer>& peers,
                                      void* a, void* b, void* c) {
  using blas::bfloat16;
  using blas::float16;
  const int lda = (s.transpose_a ? s.k : s.m) + s.pad;
  const int ldb = (s.transpose_b ? s.n : s.k) + s.pad;
  const int ldc = s.m + s.pad;
  const auto op = [](bool t) { return t ? blas::Transpose::yes : blas::Transpose::no; };
  const auto ta = op(s.transpose_a);
  const auto tb = op(s.transpose_b);
  std::vector<Contender> all;
  const auto add = [&](auto run) { all.push_back({"guda", run}); };
  if (const auto products = products_of(type); products != blas::FloatProducts::full) {
    const auto run = [=](blas::FloatProducts p) {
      blas::gemm_f32(p, ta, tb, s.m, s.n, s.k, 1, static_cast<float*>(a), lda,
                     static_cast<float*>(b), ldb, 0, static_cast<float*>(c), ldc);
    };
    add([=] { run(products); });
    all.push_back({"f32", [=] { run(blas::FloatProducts::full); }});
  } else if (type == 'b') {
    add([=] {
      blas::gemm_mixed<bfloat16, float, float>(ta, tb, s.m, s.n, s.k, 1, static_cast<bfloat16*>(a),
                                               lda, static_cast<bfloat16*>(b), ldb, 0,
                                               static_cast<float*>(c), ldc);
    });
  } else if (type == 'h') {
    add([=] {
      blas::gemm_mixed<float16, float, float>(ta, tb, s.m, s.n, s.k, 1, static_cast<float16*>(a),
                                              lda, static_cast<float16*>(b), ldb, 0,
                                              static_cast<float*>(c), ldc);
    });
  } else if (type == 'i') {
    add([=] {
      blas::gemm_mixed<int8_t, int32_t, int32_t>(ta, tb, s.m, s.n, s.k, 1, static_cast<int8_t*>(a),
                                                 lda, static_cast<int8_t*>(b), ldb, 0,
                                                 static_cast<int32_t*>(c), ldc);
    });
  } else {
    add([=] {
      blas::gemm_u8s8(ta, tb, s.m, s.n, s.k, 1, static_cast<uint8_t*>(a), lda,
                      static_cast<int8_t*>(b), ldb, 0, static_cast<int32_t*>(c), ldc);
    });
  }
  for (const Peer& peer : peers) {
    // Row-major: C' = B' A', so the signed operand comes second only when A is the signed one.
    if (type == 'i' && peer.dnnl_gemm_s8s8s32 != nullptr) {
      all.push_back({peer.name, [=, f = peer.dnnl_gemm_s8s8s32] {
                       const int32_t zero = 0;
                       f(s.transpose_b ? 'T' : 'N', s.transpose_a ? 'T' : 'N', 'F', s.n, s.m, s.k,
                         1, static_cast<int8_t*>(b), ldb, 0, static_cast<int8_t*>(a), lda, 0, 0,
                         static_cast<int32_t*>(c), ldc, &zero);
                     }});
    }
    if (type == 'u' && peer.dnnl_gemm_u8s8s32 != nullptr) {
      all.push_back({peer.name, [=, f = peer.dnnl_gemm_u8s8s32] {
                       const int32_t zero = 0;
                       f(s.transpose_b ? 'T' : 'N', s.transpose_a ? 'T' : 'N', 'F', s.n, s.m, s.k,
                         1, static_cast<uint8_t*>(b), ldb, 0, static_cast<int8_t*>(a), lda, 0, 0,
                         static_cast<int32_t*>(c), ldc, &zero);
                     }});
    }
  }
  return all;
}

struct Summary {
  double log_ratio = 0;
  double worst = 1e30;
  int cells = 0;
};

struct TypeInfo {
  const char* name;
  double flops;  // of a multiply-add
  Unit unit;
  double fraction;  // of the unit's peak
  Unit unit_with_tiles;  // where the machine has them
  double tile_fraction;
};

TypeInfo type_info(char type) {
  switch (type) {
    case 's': return {"f32", 2, Unit::f32, 1, Unit::f32, 1};
    case 'd': return {"f64", 2, Unit::f32, 0.5, Unit::f32, 0.5};
    case 'c': return {"c32", 8, Unit::f32, 1, Unit::f32, 1};
    case 'z': return {"c64", 8, Unit::f32, 0.5, Unit::f32, 0.5};
    case 'b': return {"bf16", 2, Unit::f32, 1, Unit::tile_bf16, 1};
    case 'h': return {"f16", 2, Unit::f32, 1, Unit::tile_bf16, 0.25};
    case '1': return {"f32x1", 2, Unit::f32, 1, Unit::tile_bf16, 1};
    case '3': return {"f32x3", 2, Unit::f32, 1, Unit::tile_bf16, 1.0 / 3};
    case '6': return {"f32x6", 2, Unit::f32, 1, Unit::tile_bf16, 1.0 / 6};
    case '9': return {"f32x9", 2, Unit::f32, 1, Unit::tile_bf16, 1.0 / 9};
    case 'i': return {"s8s8", 2, Unit::dot_int8, 1, Unit::tile_int8, 1};
    default: return {"u8s8", 2, Unit::dot_int8, 1, Unit::tile_int8, 1};
  }
}

std::vector<Contender> contend_type(char type, const Shape& s, const std::vector<Peer>& peers,
                                    Matrix<double>& a, Matrix<double>& b, Matrix<double>& c) {
  switch (type) {
    case 's': return contend<float>(s, peers, a.data(), b.data(), c.data());
    case 'd': return contend<double>(s, peers, a.data(), b.data(), c.data());
    case 'c': return contend<std::complex<float>>(s, peers, a.data(), b.data(), c.data());
    case 'z': return contend<std::complex<double>>(s, peers, a.data(), b.data(), c.data());
    default: return contend_narrow(type, s, peers, a.data(), b.data(), c.data());
  }
}

void run(char type, const std::vector<Shape>& shapes, const std::vector<Peer>& peers, int threads,
         double budget, std::FILE* csv) {
  const TypeInfo info = type_info(type);
  double most = peak(info.unit_with_tiles, threads) * info.tile_fraction;
  if (most == 0) most = peak(info.unit, threads) * info.fraction;
  std::printf("%s: peak of %d thread%s %.1f GFLOP/s\n", info.name, threads, threads > 1 ? "s" : "",
              most / 1e9);
  Summary summary;
  for (const Shape& s : shapes) {
    const auto size = [&](int x, int y) {
      return static_cast<size_t>(x + s.pad) * static_cast<size_t>(y + s.pad) *
             (type == 'z' ? 2 : 1);
    };
    // Values of every type are some bits of these.
    Matrix<double> a(std::max(size(s.m, s.k), size(s.k, s.m)), type, 1);
    Matrix<double> b(std::max(size(s.n, s.k), size(s.k, s.n)), type, 2);
    Matrix<double> c(size(s.m, s.n), type, 3);
    auto all = contend_type(type, s, peers, a, b, c);
    measure(all, budget, threads);
    const double flops = info.flops * s.m * s.n * s.k;
    double best_peer = 1e30;
    const char* best_name = "-";
    for (size_t i = 1; i < all.size(); ++i) {
      if (all[i].best < best_peer) {
        best_peer = all[i].best;
        best_name = all[i].name.c_str();
      }
    }
    const auto percent = [&](const Contender& c1) { return 100 * flops / c1.best / most; };
    const double ratio = best_peer / all[0].best;
    std::printf("%s %d thread%s %5d x %5d x %5d %c%c +%d: %7.1f GFLOP/s %5.1f %%", info.name,
                threads, threads > 1 ? "s" : " ", s.m, s.n, s.k, s.transpose_a ? 'T' : 'N',
                s.transpose_b ? 'T' : 'N', s.pad, flops / all[0].best / 1e9, percent(all[0]));
    if (all.size() > 1) {
      std::printf("  ratio %.2f to %s |", ratio, best_name);
      for (size_t i = 1; i < all.size(); ++i) {
        std::printf(" %s %.1f", all[i].name.c_str(), percent(all[i]));
      }
      summary.log_ratio += std::log(ratio);
      summary.worst = std::min(summary.worst, ratio);
      ++summary.cells;
    }
    std::printf("\n");
    std::fflush(stdout);
    if (csv != nullptr) {
      for (const Contender& c1 : all) {
        std::fprintf(csv, "%s,%d,%d,%d,%d,%c%c,%d,%s,%.2f\n", info.name, threads, s.m, s.n, s.k,
                     s.transpose_a ? 'T' : 'N', s.transpose_b ? 'T' : 'N', s.pad, c1.name.c_str(),
                     percent(c1));
      }
    }
  }
  if (summary.cells > 0) {
    std::printf("%s %d threads: geometric mean of ratios %.2f, worst %.2f, %d shapes\n", info.name,
                threads, std::exp(summary.log_ratio / summary.cells), summary.worst, summary.cells);
  }
}

std::vector<Shape> table() {
  std::vector<Shape> shapes;
  for (const int n : {8, 16, 32, 64, 128, 256, 512, 1024, 2048}) shapes.push_back({n, n, n});
  for (const int n : {1, 2, 4, 8, 16}) shapes.push_back({n, n, 4096});
  shapes.push_back({4096, 4096, 16});
  shapes.push_back({16, 4096, 4096});
  shapes.push_back({4096, 16, 4096});
  for (const int n : {64, 256}) {
    shapes.push_back({n, n, n, true, false});
    shapes.push_back({n, n, n, false, true});
    shapes.push_back({n, n, n, true, true});
  }
  for (const int n : {65, 100, 129, 200, 257}) shapes.push_back({n, n, n});
  return shapes;
}

bool parse(const char* text, Shape& shape) {
  if (std::sscanf(text, "%dx%dx%d", &shape.m, &shape.n, &shape.k) != 3) return false;
  if (const char* ops = std::strchr(text, ':'); ops != nullptr) {
    shape.transpose_a = ops[1] == 'T';
    shape.transpose_b = ops[1] != '\0' && ops[2] == 'T';
    if (const char* pad = std::strchr(ops + 1, ':'); pad != nullptr) shape.pad = std::atoi(pad + 1);
  }
  return true;
}

int main(int argc, char** argv) {
  std::vector<Shape> shapes;
  std::vector<Peer> peers;
  std::string types = "s";
  int threads = 1;
  double budget = 0.1;
  std::FILE* csv = nullptr;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    Shape shape{};
    Peer peer;
    if (option == "--table") {
      const auto all = table();
      shapes.insert(shapes.end(), all.begin(), all.end());
      continue;
    }
    ++i;
    if (option == "--type") {
      types = value;
    } else if (option == "--threads") {
      threads = std::atoi(value);
    } else if (option == "--seconds") {
      budget = std::atof(value);
    } else if (option == "--csv") {
      csv = std::fopen(value, "w");
    } else if (option == "--shape" && parse(value, shape)) {
      shapes.push_back(shape);
    } else if (option == "--peer") {
      if (load_peer(value, peer)) peers.push_back(peer);
    } else {
      std::fprintf(stderr, "unknown option %s %s\n", option.c_str(), value);
      return 1;
    }
  }
  if (shapes.empty()) shapes = table();
  blas::set_thread_limit(threads);
  for (const Peer& peer : peers) peer.set_threads(threads);
  for (const char type : types) run(type, shapes, peers, threads, budget, csv);
  if (csv != nullptr) std::fclose(csv);
  return 0;
}

}  // namespace
}  // namespace guda::bench

int main(int argc, char** argv) { return guda::bench::main(argc, argv); }
