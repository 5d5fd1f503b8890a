// guda calibrate: measures what the engines of this machine can do, and keeps it for the scheduler.
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "backends/cpu/cpu_device.h"
#include "backends/discovery.h"
#include "blas/gemm.h"
#include "runtime/module/compiler_client.h"
#include "scheduler/calibration.h"
#include "scheduler/cpu_probes.h"
#include "scheduler/device_probes.h"
#include "support/options.h"
#include "tools/guda/command.h"
#include "tools/guda/json.h"

namespace guda::cli {
namespace {

using scheduler::Arithmetic;
using scheduler::EngineIdentity;
using scheduler::EngineModel;
using scheduler::ModelStore;
using Clock = std::chrono::steady_clock;

/// For all engines together.
constexpr std::chrono::milliseconds kBudget{1600};

template <class In, class Out, class Scale>
double time_product(int64_t n) {
  const auto size = static_cast<size_t>(n) * static_cast<size_t>(n);
  static std::vector<In> a;
  static std::vector<In> b;
  static std::vector<Out> c;
  if (a.size() < size) {
    a.assign(size, In{});
    b.assign(size, In{});
    c.assign(size, Out{});
  }
  constexpr auto kPlain = blas::Transpose::no;
  const auto start = Clock::now();
  if constexpr (std::is_same_v<In, Scale>) {
    blas::gemm<In>(kPlain, kPlain, n, n, n, Scale{1}, a.data(), n, b.data(), n, Scale{0}, c.data(),
                   n);
  } else {
    blas::gemm_mixed<In, Out, Scale>(kPlain, kPlain, n, n, n, Scale{1}, a.data(), n, b.data(), n,
                                     Scale{0}, c.data(), n);
  }
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

Result<double> cpu_product(Arithmetic kind, int64_t n) {
  switch (kind) {
    case Arithmetic::f64: return time_product<double, double, double>(n);
    case Arithmetic::f32: return time_product<float, float, float>(n);
    case Arithmetic::f16: return time_product<blas::float16, blas::float16, float>(n);
    case Arithmetic::bf16: return time_product<blas::bfloat16, blas::bfloat16, float>(n);
    case Arithmetic::int8: return time_product<int8_t, int32_t, int32_t>(n);
    case Arithmetic::int32: break;
  }
  return Status(StatusCode::not_supported, "no products of 32-bit integers");
}

struct Row {
  EngineIdentity identity;
  EngineModel model;
  Status status;
  double seconds = 0;
};

Row measure(const EngineIdentity& identity, scheduler::EngineProbes& probes,
            std::chrono::nanoseconds budget, const ModelStore& store) {
  Row row;
  row.identity = identity;
  const auto start = Clock::now();
  auto model = scheduler::calibrate(probes, budget);
  row.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (!model) {
    row.status = model.status();
    return row;
  }
  row.model = *model;
  scheduler::EngineRecord record{*model, {}};
  // What programs have taught stays.
  if (auto old = store.load(identity)) record.learnt = std::move(old->learnt);
  row.status = store.save(identity, record);
  return row;
}

void print_text(const Row& row) {
  fmt::print("{}: {}\n", row.identity.id, row.identity.name);
  if (!row.status) fmt::print("  {}\n", row.status.message());
  if (row.seconds <= 0) return;
  fmt::print("  measured in {:.2f} s\n", row.seconds);
  if (row.model.launch_ns <= 0) fmt::print("  cannot run the kernels of the calibration\n");
  fmt::print("  {:24} {:.2f} us, a tiny matrix product {:.2f} us\n", "empty launch",
             row.model.launch_ns / 1e3, row.model.gemm_ns / 1e3);
  fmt::print("  {:24} {:.1f} GB/s\n", "streaming", row.model.memory_rate);
  for (size_t k = 0; k < scheduler::kArithmeticKinds; ++k) {
    if (row.model.kernel_rate[k] <= 0 && row.model.gemm_rate[k] <= 0) continue;
    const auto rate = [](double r) { return r > 0 ? fmt::format("{:.4g}", r) : std::string("-"); };
    fmt::print("  {:24} {} in kernels, {} in matrix products (G operations/s)\n",
               scheduler::name_of(static_cast<Arithmetic>(k)), rate(row.model.kernel_rate[k]),
               rate(row.model.gemm_rate[k]));
  }
  const auto link = [](const char* name, const scheduler::Link& l) {
    if (l.bytes_per_ns > 0)
      fmt::print("  {:24} {:.2f} GB/s, {:.1f} us\n", name, l.bytes_per_ns, l.latency_ns / 1e3);
  };
  link("to the device", row.model.upload);
  link("from the device", row.model.download);
}

/// The writer has integers only: rates are given in millions, times in picoseconds.
void write_json(const Row& row, JsonWriter& json) {
  const auto number = [](double value) { return static_cast<int64_t>(value * 1000); };
  json.begin_object();
  json.field("id", row.identity.id)
      .field("name", row.identity.name)
      .field("driver", row.identity.driver);
  json.field("units", row.identity.units).field("error", row.status.message());
  json.field("milliseconds", number(row.seconds));
  json.field("launch_ps", number(row.model.launch_ns)).field("gemm_ps", number(row.model.gemm_ns));
  json.field("memory_mb_per_s", number(row.model.memory_rate));
  for (const auto& [name, rates] :
       {std::pair{"kernel_mops", &row.model.kernel_rate}, {"gemm_mops", &row.model.gemm_rate}}) {
    json.key(name).begin_object();
    for (size_t k = 0; k < scheduler::kArithmeticKinds; ++k) {
      json.field(scheduler::name_of(static_cast<Arithmetic>(k)), number((*rates)[k]));
    }
    json.end_object();
  }
  json.field("upload_mb_per_s", number(row.model.upload.bytes_per_ns));
  json.field("upload_latency_ps", number(row.model.upload.latency_ns));
  json.field("download_mb_per_s", number(row.model.download.bytes_per_ns));
  json.field("download_latency_ps", number(row.model.download.latency_ns));
  json.end_object();
}

}  // namespace

int calibrate_command(Arguments arguments) {
  bool as_json = false;
  for (const char* argument : arguments) {
    if (std::string_view(argument) != "--json") {
      return usage_error("calibrate", fmt::format("unknown argument {}", argument));
    }
    as_json = true;
  }
  const ModelStore store = ModelStore::of_process();
  auto choices = backend::choose_engines(option_value(Option::devices));
  const auto budget = std::chrono::nanoseconds(kBudget) / std::max<size_t>(choices.size(), 1);
  std::vector<Row> rows;
  for (const backend::Choice& choice : choices) {
    if (!choice.device) {
      scheduler::CpuProbes probes(cpu_product);
      rows.push_back(measure(scheduler::cpu_identity(), probes, budget, store));
      continue;
    }
    const EngineIdentity identity = scheduler::identity_of(choice.device->info());
    auto probes = scheduler::DeviceProbes::create(*choice.device, choice.device->address_space());
    if (probes) {
      rows.push_back(measure(identity, **probes, budget, store));
    } else {
      rows.push_back({identity, {}, probes.status(), 0});
    }
  }
  bool good = true;
  JsonWriter json;
  json.begin_array();
  for (const Row& row : rows) {
    good &= row.status.is_ok() || row.status.code() == StatusCode::not_found;
    as_json ? write_json(row, json) : print_text(row);
  }
  json.end_array();
  if (as_json) fmt::print("{}", json.take());
  return good ? 0 : 1;
}

}  // namespace guda::cli
