#include "scheduler/model_store.h"

#include "support/options.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace guda::scheduler {
namespace {

constexpr std::string_view kHeader = "guda engine model 1\n";

uint64_t fnv(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

/// The numbers of a model in one order, for writing and for reading.
template <typename Model, typename Visit>
void visit_numbers(Model& model, Visit visit) {
  for (size_t i = 0; i < kArithmeticKinds; ++i) {
    visit(fmt::format("kernel_rate.{}", name_of(static_cast<Arithmetic>(i))), model.kernel_rate[i]);
  }
  for (size_t i = 0; i < kArithmeticKinds; ++i) {
    visit(fmt::format("gemm_rate.{}", name_of(static_cast<Arithmetic>(i))), model.gemm_rate[i]);
  }
  visit("memory_rate", model.memory_rate);
  visit("launch_ns", model.launch_ns);
  visit("gemm_ns", model.gemm_ns);
  visit("upload.latency_ns", model.upload.latency_ns);
  visit("upload.bytes_per_ns", model.upload.bytes_per_ns);
  visit("download.latency_ns", model.download.latency_ns);
  visit("download.bytes_per_ns", model.download.bytes_per_ns);
}

/// Takes one line off the text, without its end.
std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

/// Takes "word " or the last word off the line.
std::string_view take_word(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

template <typename T>
bool take_number(std::string_view& line, T& value, int base = 10) {
  const std::string_view word = take_word(line);
  std::from_chars_result result{};
  if constexpr (std::is_floating_point_v<T>) {
    result = std::from_chars(word.data(), word.data() + word.size(), value);
    return result.ec == std::errc{} && result.ptr == word.data() + word.size() &&
           std::isfinite(value);
  } else {
    result = std::from_chars(word.data(), word.data() + word.size(), value, base);
    return result.ec == std::errc{} && result.ptr == word.data() + word.size();
  }
}

/// What a time model can go on from.
bool is_usable(const Regression<2>::State& state) {
  bool finite = std::isfinite(state.noise);
  for (const double weight : state.weights) finite = finite && std::isfinite(weight) && weight >= 0;
  for (const auto& row : state.covariance)
    for (const double value : row) finite = finite && std::isfinite(value);
  return finite && state.noise > 0;
}

Status damaged(std::string_view why) {
  return {StatusCode::invalid_value, fmt::format("engine model: {}", why)};
}

Status system_error(std::string_view what, const std::string& path) {
  return {StatusCode::operating_system, fmt::format("{} {}: {}", what, path, std::strerror(errno))};
}

}  // namespace

std::string to_text(const EngineIdentity& identity, const EngineRecord& record) {
  std::string text(kHeader);
  text += fmt::format("engine {}\n", identity.text());
  visit_numbers(record.model, [&](const std::string& name, double value) {
    // Unknown rather than a line that would cost the whole file.
    text += fmt::format("{} {}\n", name, std::isfinite(value) && value > 0 ? value : 0.0);
  });
  for (const LearntTime& time : record.learnt) {
    const auto& s = time.state;
    if (!is_usable(s)) continue;
    text += fmt::format("learnt {:x} {} {} {} {} {} {} {}\n", time.key, s.weights[0], s.weights[1],
                        s.covariance[0][0], s.covariance[0][1], s.covariance[1][1], s.noise,
                        s.observations);
  }
  text += fmt::format("check {:016x}\n", fnv(text));
  return text;
}

Result<EngineRecord> from_text(const EngineIdentity& identity, std::string_view text) {
  constexpr size_t kCheckLine = 6 + 16 + 1;
  if (!text.starts_with(kHeader)) return damaged("not a file of this version");
  if (text.size() < kHeader.size() + kCheckLine) return damaged("incomplete");
  const std::string_view body = text.substr(0, text.size() - kCheckLine);
  if (text.substr(body.size()) != fmt::format("check {:016x}\n", fnv(body))) {
    return damaged("wrong checksum");
  }
  std::string_view rest = body.substr(kHeader.size());
  if (take_line(rest) != fmt::format("engine {}", identity.text()))
    return damaged("of another engine");
  EngineRecord record;
  bool good = true;
  visit_numbers(record.model, [&](const std::string& name, double& value) {
    std::string_view line = take_line(rest);
    good = good && take_word(line) == name && take_number(line, value) && value >= 0;
  });
  while (good && !rest.empty()) {
    std::string_view line = take_line(rest);
    LearntTime time;
    auto& s = time.state;
    good = take_word(line) == "learnt" && take_number(line, time.key, 16) &&
           take_number(line, s.weights[0]) && take_number(line, s.weights[1]) &&
           take_number(line, s.covariance[0][0]) && take_number(line, s.covariance[0][1]) &&
           take_number(line, s.covariance[1][1]) && take_number(line, s.noise) &&
           take_number(line, s.observations);
    s.covariance[1][0] = s.covariance[0][1];
    good = good && is_usable(s);
    record.learnt.push_back(time);
  }
  if (!good) return damaged("a line is not what it should be");
  return record;
}

ModelStore ModelStore::of_process() {
  if (option_flag(Option::cuda_cache_disable)) return ModelStore({});
  const std::string cache = cache_directory();
  return ModelStore(cache.empty() ? std::string() : cache + "/engines");
}

std::string ModelStore::path_of(const EngineIdentity& identity) const {
  std::string stem = identity.id;
  for (char& c : stem) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '-';
  }
  return fmt::format("{}/{}-{:016x}.model", directory_, stem, fnv(identity.text()));
}

Result<EngineRecord> ModelStore::load(const EngineIdentity& identity) const {
  if (directory_.empty()) return Status(StatusCode::not_found, "no engine models are kept");
  std::ifstream file(path_of(identity), std::ios::binary);
  if (!file) return Status(StatusCode::not_found, fmt::format("{}: not calibrated", identity.id));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return from_text(identity, text);
}

Status ModelStore::save(const EngineIdentity& identity, const EngineRecord& record) const {
  if (directory_.empty()) return {StatusCode::not_found, "no engine models are kept"};
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  const std::string path = path_of(identity);
  // Not named after the process: in containers that share a cache many have the same number, and one that was killed may
  // have left its file.
  std::string temporary = path + ".XXXXXX";
  const int file = mkostemp(temporary.data(), O_CLOEXEC);
  if (file < 0) return system_error("cannot write", temporary);
  const std::string text = to_text(identity, record);
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const bool closed = close(file) == 0;
  if (!written || !closed || rename(temporary.c_str(), path.c_str()) != 0) {
    Status status = system_error("cannot write", path);
    unlink(temporary.c_str());
    return status;
  }
  return Status::ok();
}

}  // namespace guda::scheduler
