// What queues do with rows of bytes, and recordings.
#include "tests/backends/conformance_bench.h"

#include <thread>

namespace guda::backend::conformance {
namespace {

/// A buffer of the host's with a box in it.
struct Pitched {
  std::vector<uint8_t> bytes;
  size_t before, pitch, slice;

  Pitched(const Box& box, size_t row, size_t layer, size_t offset, uint8_t rest)
      : bytes(offset + layer * box.depth + row, rest), before(offset), pitch(row), slice(layer) {}
  BoxSide at(void* start) const { return {static_cast<std::byte*>(start) + before, pitch, slice}; }
  BoxSide side() { return at(bytes.data()); }
};

void copy_rows(const BoxSide& to, const BoxSide& from, const Box& box) {
  for (size_t z = 0; z < box.depth; ++z) {
    for (size_t y = 0; y < box.height; ++y) std::memcpy(to.row(y, z), from.row(y, z), box.width);
  }
}

struct Shape {
  Box box;
  size_t pitch_a, slice_a, pitch_b, slice_b;
};
/// Slices that are no multiple of their pitch, single rows and single bytes among them.
constexpr Shape kShapes[] = {
    {{100, 7, 1}, 128, 0, 256, 0},         {{64, 5, 4}, 64, 320, 80, 480},
    {{33, 6, 3}, 48, 48 * 6 + 5, 40, 400}, {{1, 200, 1}, 512, 0, 3, 0},
    {{513, 1, 9}, 513, 700, 1024, 1024},   {{256, 64, 2}, 256, 256 * 64, 272, 272 * 64},
};

void transfers_rows(Bench& bench) {
  if (bench.device.info().host_memory) throw Unsupported{"works in host memory"};
  Region region(bench.device, 2 << 20);
  uint8_t seed = 1;
  for (const Shape& shape : kShapes) {
    const size_t slice_a = std::max(shape.slice_a, shape.pitch_a * shape.box.height),
                 slice_b = std::max(shape.slice_b, shape.pitch_b * shape.box.height);
    Pitched from(shape.box, shape.pitch_a, slice_a, 16, 0);
    for (uint8_t& byte : from.bytes) byte = seed = static_cast<uint8_t>(seed * 5 + 7);
    Pitched there(shape.box, shape.pitch_b, slice_b, 32, 0xEE), back(from), expected(from);
    std::memset(region.data(), 0xEE, there.bytes.size());
    bench.upload(region);
    const BoxSide on_device = there.at(region.data());
    must(bench.queue->copy_box(CopyWay::to_device, on_device, from.side(), shape.box), "upload");
    copy_rows(there.side(), from.side(), shape.box);
    std::fill(back.bytes.begin(), back.bytes.end(), uint8_t{0x11});
    std::fill(expected.bytes.begin(), expected.bytes.end(), uint8_t{0x11});
    copy_rows(expected.side(), from.side(), shape.box);
    must(bench.queue->copy_box(CopyWay::to_host, back.side(), on_device, shape.box), "download");
    must(bench.queue->synchronize(), "synchronize");
    expect(back.bytes == expected.bytes, "rows that came back, and nothing between them");
    bench.download(region, 0, there.bytes.size());
    expect(std::memcmp(region.data(), there.bytes.data(), there.bytes.size()) == 0,
           "rows on the device, and nothing between them");
  }
}

void copies_rows_within(Bench& bench) {
  Region region(bench.device, 2 << 20);
  auto* bytes = region.as<uint8_t>();
  for (const Shape& shape : kShapes) {
    const size_t slice_a = std::max(shape.slice_a, shape.pitch_a * shape.box.height),
                 slice_b = std::max(shape.slice_b, shape.pitch_b * shape.box.height);
    for (size_t i = 0; i < region.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 11 + i / 251);
    std::vector<uint8_t> expected(bytes, bytes + region.size());
    bench.upload(region);
    constexpr size_t kFrom = 64, kTo = 1 << 20;
    must(bench.queue->copy_box(CopyWay::within, {bytes + kTo, shape.pitch_b, slice_b},
                               {bytes + kFrom, shape.pitch_a, slice_a}, shape.box),
         "copy");
    copy_rows({expected.data() + kTo, shape.pitch_b, slice_b},
              {expected.data() + kFrom, shape.pitch_a, slice_a}, shape.box);
    bench.download(region);
    expect(std::equal(expected.begin(), expected.end(), bytes), "contents");
  }
}

void fills_rows(Bench& bench) {
  Region region(bench.device, 1 << 20);
  auto* bytes = region.as<uint8_t>();
  for (uint32_t element : {1u, 2u, 4u}) {
    std::memset(bytes, 0x22, region.size());
    std::vector<uint8_t> expected(bytes, bytes + region.size());
    bench.upload(region);
    const Box box{12 * element, 9, 3};
    constexpr uint32_t kValue = 0x12345678;
    must(bench.queue->fill_box({bytes + 64, 96, 96 * 11}, box, kValue, element), "fill");
    // A pitch that is no multiple of the element, in a single slice.
    must(bench.queue->fill_box({bytes + 8192, 100, 0}, {element, 1, 1}, kValue, element), "fill");
    for (size_t z = 0; z < box.depth; ++z) {
      for (size_t y = 0; y < box.height; ++y) {
        for (size_t x = 0; x < box.width; x += element)
          std::memcpy(expected.data() + 64 + z * 96 * 11 + y * 96 + x, &kValue, element);
      }
    }
    std::memcpy(expected.data() + 8192, &kValue, element);
    bench.download(region);
    expect(std::equal(expected.begin(), expected.end(), bytes), fmt::format("element {}", element));
  }
}

// ---- recordings ---------------------------------------------------------------------------------------

void begin(Queue& queue) { must(queue.begin_recording(), "begin_recording"); }
std::shared_ptr<Recording> end(Queue& queue) {
  return must(queue.end_recording(), "end_recording");
}

void recordings_are_replayed(Bench& bench) {
  Region region(bench.device, 2 << 20);
  constexpr Dim3 kBlock{64, 1, 1};
  constexpr uint32_t kCount = 1000;
  constexpr size_t kB = 256 << 10, kSum = 512 << 10, kCopy = 768 << 10;
  auto kernel = bench.load("vector_add", kBlock, kThreePointers);
  auto* a = region.as<float>();
  for (uint32_t i = 0; i < kCount; ++i) a[i] = static_cast<float>(i);
  std::fill_n(region.as<float>(kB), kCount, 2.0f);
  bench.upload(region);
  must(bench.queue->synchronize(), "synchronize");
  begin(*bench.queue);
  {
    // a += b, then a copy of it; arguments are copied now.
    Parameters parameters;
    parameters.add(region.address()).add(region.address(kB)).add(region.address(kSum)).add(kCount);
    must(bench.queue->launch(whole(kernel, parameters, {(kCount + 63) / 64, 1, 1}, kBlock)),
         "launch");
  }
  must(bench.queue->copy(a, region.as<void>(kSum), kCount * 4), "copy");
  must(bench.queue->copy(region.as<void>(kCopy), a, kCount * 4), "copy");
  must(bench.queue->fill(region.as<void>(kSum), 0, 4, kCount * 4), "fill");
  auto recording = end(*bench.queue);
  bench.download(region);
  expect(a[5] == 5, "nothing ran while it was recorded");
  for (int round = 0; round < 20; ++round) must(bench.queue->replay(recording), "replay");
  bench.download(region);
  for (uint32_t i = 0; i < kCount; ++i) {
    expect(a[i] == static_cast<float>(i + 40), "sums");
    expect(region.as<float>(kCopy)[i] == a[i], "the copy");
    expect(region.as<float>(kSum)[i] == 0, "the fill");
  }
  // Replays are in order with the queue's other work, on any queue.
  auto other = must(bench.device.create_queue(), "create_queue");
  for (uint32_t round = 1; round <= 5; ++round) {
    must(other->fill(region.data(), round, 4, kCount * 4), "fill");
    must(other->fill(region.as<void>(kB), 0, 4, kCount * 4), "fill");
    must(other->replay(recording), "replay");
    must(other->synchronize(), "synchronize");
    bench.download(region);
    expect(region.as<uint32_t>(kCopy)[7] == round, "after what came before it");
  }
}

void recordings_have_branches(Bench& bench) {
  Region region(bench.device, 4 << 20);
  auto second = must(bench.device.create_queue(), "create_queue");
  auto third = must(bench.device.create_queue(), "create_queue");
  constexpr size_t kBytes = 1 << 20;
  auto part = [&](size_t i) { return region.as<std::byte>(i * kBytes); };
  bench.upload(region);
  must(bench.queue->synchronize(), "synchronize");
  begin(*bench.queue);
  must(bench.queue->fill(part(0), 0xA1, 1, kBytes), "fill");
  auto fork = must(bench.queue->mark(), "mark");
  must(second->wait_for(*fork), "wait_for");
  must(second->copy(part(1), part(0), kBytes), "copy");
  must(third->wait_for(*fork), "wait_for");
  must(third->copy(part(2), part(0), kBytes), "copy");
  must(third->fill(part(2), 0xA2, 1, kBytes / 2), "fill");
  auto from_second = must(second->mark(), "mark");
  auto from_third = must(third->mark(), "mark");
  must(bench.queue->wait_for(*from_second), "wait_for");
  must(bench.queue->wait_for(*from_third), "wait_for");
  must(bench.queue->copy(part(3), part(1), kBytes / 2), "copy");
  must(bench.queue->copy(part(3) + kBytes / 2, part(2), kBytes / 2), "copy");
  must(bench.queue->fill(part(0), 0, 1, kBytes), "fill");
  auto recording = end(*bench.queue);
  fork.reset();
  from_second.reset();
  from_third.reset();
  // Queues that took part are as they were.
  must(second->fill(part(3), 0x77, 1, kBytes), "fill");
  auto before = must(second->mark(), "mark");
  must(third->wait_for(*before), "wait_for");
  for (int round = 0; round < 3; ++round) {
    must(third->replay(recording), "replay");
    must(third->synchronize(), "synchronize");
    bench.download(region);
    auto is = [&](size_t offset, unsigned char value) {
      const auto* bytes = region.as<unsigned char>(offset);
      return std::all_of(bytes, bytes + kBytes / 2, [&](unsigned char b) { return b == value; });
    };
    expect(is(3 * kBytes, 0xA1) && is(3 * kBytes + kBytes / 2, 0xA2), "both branches came first");
    expect(is(0, 0), "the end");
    std::memset(part(3), 0, kBytes);
    bench.upload(region);
    must(bench.queue->synchronize(), "synchronize");
  }
}

void recordings_read_host_memory_each_time(Bench& bench) {
  if (bench.device.info().host_memory) throw Unsupported{"works in host memory"};
  Region region(bench.device, 1 << 20);
  std::vector<uint32_t> from(3000), to(3000);
  begin(*bench.queue);
  must(bench.queue->upload(region.data(), from.data(), from.size() * 4), "upload");
  must(bench.queue->download(to.data(), region.data(), to.size() * 4), "download");
  auto recording = end(*bench.queue);
  for (uint32_t round = 1; round < 10; ++round) {
    std::iota(from.begin(), from.end(), round * 1000);
    must(bench.queue->replay(recording), "replay");
    must(bench.queue->synchronize(), "synchronize");
    expect(from == to, "contents of this time");
  }
}

void multiplies_in_a_recording(Bench& bench) {
  Region region(bench.device, 1 << 20);
  constexpr int64_t kN = 16;
  constexpr size_t kB = 4096, kC = 8192;
  for (int64_t i = 0; i < kN * kN; ++i) {
    region.as<float>()[i] = static_cast<float>(i % 5);
    region.as<float>(kB)[i] = i % (kN + 1) == 0 ? 1.0f : 0.0f;
    region.as<float>(kC)[i] = 1;
  }
  bench.upload(region);
  must(bench.queue->synchronize(), "synchronize");
  must(bench.queue->prepare_products(), "prepare_products");
  begin(*bench.queue);
  Status multiplied;
  {
    float alpha = 2, beta = 1;
    GemmProblem problem;
    problem.m = problem.n = problem.k = kN;
    problem.lda = problem.ldb = problem.ldc = kN;
    problem.a = region.data();
    problem.b = region.as<void>(kB);
    problem.c = region.as<void>(kC);
    problem.alpha = &alpha;
    problem.beta = &beta;
    multiplied = bench.queue->gemm(problem);
    alpha = beta = 99;
  }
  auto recording = end(*bench.queue);
  must(multiplied, "gemm");
  for (int round = 0; round < 3; ++round) must(bench.queue->replay(recording), "replay");
  bench.download(region);
  for (int64_t i = 0; i < kN * kN; ++i)
    expect(region.as<float>(kC)[i] == static_cast<float>(1 + 6 * (i % 5)), "three products");
}

void recordings_refuse_misuse(Bench& bench) {
  Region region(bench.device, 1 << 20);
  auto other = must(bench.device.create_queue(), "create_queue");
  auto outside = must(other->mark(), "mark");
  begin(*bench.queue);
  expect(!bench.queue->begin_recording(), "a queue that is recording already");
  expect(!bench.queue->wait_for(*outside), "a mark from outside");
  auto inside = must(bench.queue->mark(), "mark");
  expect(!inside->wait() && !inside->reached(), "nobody can wait for a mark of a recording");
  (void)bench.queue->end_recording();
  expect(!bench.queue->end_recording().status(), "a queue that is not recording");
  // The queue works all the same.
  must(bench.queue->fill(region.data(), 0x5A, 1, 4096), "fill");
  bench.download(region);
  expect(region.as<unsigned char>()[4095] == 0x5A, "contents");
}

void recordings_from_two_threads(Bench& bench) {
  Region region(bench.device, 2 << 20);
  bench.upload(region);
  must(bench.queue->synchronize(), "synchronize");
  begin(*bench.queue);  // says whether there are any
  (void)end(*bench.queue);
  std::atomic<int> failures{0};
  auto work = [&](unsigned which) {
    auto queue = bench.device.create_queue();
    if (!queue) {
      ++failures;
      return;
    }
    auto* start = region.as<std::byte>(which << 20);
    for (uint32_t round = 0; round < 30; ++round) {
      Status status = (*queue)->begin_recording();
      if (status) status = (*queue)->fill(start, round, 4, 1 << 20);
      auto recording = (*queue)->end_recording();
      if (status) status = recording.status();
      if (status) status = (*queue)->replay(*recording);
      if (status) status = (*queue)->synchronize();
      if (!status) ++failures;
    }
  };
  std::thread first(work, 0), second(work, 1);
  first.join();
  second.join();
  expect(failures == 0, "every round");
  bench.download(region);
  for (size_t i = 0; i < (2 << 20) / 4; i += 1000)
    expect(region.as<uint32_t>()[i] == 29, "contents");
}

constexpr Case kCases[] = {
    {"transfers_rows", transfers_rows},
    {"copies_rows_within", copies_rows_within},
    {"fills_rows", fills_rows},
    {"recordings_are_replayed", recordings_are_replayed},
    {"recordings_have_branches", recordings_have_branches},
    {"recordings_read_host_memory_each_time", recordings_read_host_memory_each_time},
    {"multiplies_in_a_recording", multiplies_in_a_recording},
    {"recordings_refuse_misuse", recordings_refuse_misuse},
    {"recordings_from_two_threads", recordings_from_two_threads},
};

}  // namespace

std::span<const Case> queue_cases() { return kCases; }

}  // namespace guda::backend::conformance
