#include "tests/backends/conformance_bench.h"
#include "tests/backends/products.h"

#include <fmt/format.h>

#include <algorithm>
#include <complex>
#include <cstring>
#include <numeric>
#include <thread>

namespace guda::backend::conformance {
namespace {

// ---- the cases ----------------------------------------------------------------------------------------

void has_a_name(Bench& bench) {
  const DeviceInfo& info = bench.device.info();
  expect(!info.backend.empty() && !info.name.empty(), "backend and name");
  expect(info.compute_units > 0, "compute units");
  expect((info.map_alignment & (info.map_alignment - 1)) == 0, "alignment is a power of two");
  expect(bench.device.usable(), "usable");
}

void transfers_whole_and_in_part(Bench& bench) {
  Region region(bench.device, 3 << 20);
  if (bench.device.info().host_memory) throw Unsupported{"works in host memory"};
  auto* words = region.as<uint32_t>();
  size_t count = region.size() / 4;
  std::iota(words, words + count, 5u);
  bench.upload(region);
  must(bench.queue->synchronize(), "synchronize");
  std::fill(words, words + count, 0u);
  bench.download(region, 4096 + 12, 1 << 20);
  expect(words[0] == 0 && words[(4096 + 12) / 4 - 1] == 0, "bytes before the part are left alone");
  for (size_t i = (4096 + 12) / 4; i < (4096 + 12 + (1 << 20)) / 4; ++i)
    expect(words[i] == i + 5, fmt::format("word {}", i));
  words[7] = 99;
  bench.upload(region, 28, 4);
  bench.download(region);
  expect(words[6] == 11 && words[7] == 99 && words[8] == 13, "a word in the middle");
  expect(words[count - 1] == count + 4, "the last word");
}

void transfers_other_host_memory(Bench& bench) {
  if (bench.device.info().host_memory) throw Unsupported{"works in host memory"};
  Region region(bench.device, 5 << 20);
  std::vector<uint32_t> from(region.size() / 4 - 3), to(from.size());
  std::iota(from.begin(), from.end(), 1u);
  must(bench.queue->upload(region.as<void>(4), from.data(), from.size() * 4), "upload");
  must(bench.queue->download(to.data(), region.as<void>(4), to.size() * 4), "download");
  must(bench.queue->synchronize(), "synchronize");
  expect(from == to, "contents");
}

void copies_within(Bench& bench) {
  Region region(bench.device, 2 << 20);
  auto* bytes = region.as<uint8_t>();
  for (size_t i = 0; i < 5000; ++i) bytes[i] = static_cast<uint8_t>(i * 7);
  bench.upload(region);
  must(bench.queue->copy(region.as<void>(100001), region.as<void>(3), 4000), "copy");
  bench.download(region);
  expect(std::memcmp(bytes + 100001, bytes + 3, 4000) == 0 && bytes[104001] == 0, "contents");
}

void fills(Bench& bench) {
  Region region(bench.device, 1 << 20);
  bench.upload(region);
  must(bench.queue->fill(region.as<void>(1), 0x1234567a, 1, 9), "fill 1");
  must(bench.queue->fill(region.as<void>(64), 0x1234abcd, 2, 10), "fill 2");
  must(bench.queue->fill(region.as<void>(128), 0x12345678, 4, 400000), "fill 4");
  bench.download(region);
  auto* bytes = region.as<uint8_t>();
  expect(bytes[0] == 0 && bytes[1] == 0x7a && bytes[9] == 0x7a && bytes[10] == 0, "bytes");
  expect(region.as<uint16_t>(64)[4] == 0xabcd && region.as<uint16_t>(64)[5] == 0, "halves");
  expect(region.as<uint32_t>(128)[99999] == 0x12345678 && region.as<uint32_t>(128)[100000] == 0,
         "words");
}

void refuses_bad_ranges(Bench& bench) {
  if (bench.device.info().host_memory) throw Unsupported{"works in host memory"};
  Region region(bench.device, 2 << 20);
  expect(bench.device.map(region.data(), region.size()).code() == StatusCode::invalid_value,
         "a range that is mapped already");
  expect(!bench.device.unmap(region.as<void>(bench.device.info().map_alignment), region.size())
              .is_ok(),
         "unmapping something else");
  int on_the_stack = 0;
  expect(!bench.device.unmap(&on_the_stack, 4096).is_ok(), "unmapping what was never mapped");
}

void maps_again_at_the_same_place(Bench& bench) {
  if (bench.device.info().host_memory) throw Unsupported{"works in host memory"};
  Region region(bench.device, 4 << 20);
  region.as<uint32_t>()[0] = 77;
  for (int round = 0; round < 5; ++round) {
    bench.upload(region);
    must(bench.queue->synchronize(), "synchronize");
    region.forget_mapping();
    must(bench.device.unmap(region.data(), region.size()), "unmap");
    expect(region.map_file(), "host side");
    must(bench.device.map(region.data(), region.size(), -1), "map");
    region.remember_mapping();
    expect(region.map_file(), "host side");
    expect(region.as<uint32_t>()[0] == 77, "the host's contents stay");
  }
}

void too_much_memory(Bench& bench) {
  const DeviceInfo& info = bench.device.info();
  if (info.memory_bytes == 0) throw Unsupported{"no memory of its own"};
  Reservation range(bench.device,
                    (info.memory_bytes / info.map_alignment + 2) * info.map_alignment);
  StatusCode code = bench.device.map(range.data(), range.size()).code();
  if (code == StatusCode::ok) (void)bench.device.unmap(range.data(), range.size());
  if (code == StatusCode::not_supported) throw Unsupported{"no memory"};
  expect(code == StatusCode::out_of_memory, "out_of_memory");
  expect(bench.device.usable(), "usable afterwards");
}

void marks_are_reached(Bench& bench) {
  Region region(bench.device, 8 << 20);
  auto first = must(bench.queue->mark(), "mark");
  bench.upload(region);
  must(bench.queue->fill(region.data(), 1, 4, region.size()), "fill");
  auto second = must(bench.queue->mark(), "mark");
  must(bench.queue->flush(), "flush");
  must(second->wait(), "wait");
  expect(first->reached() && second->reached(), "reached");
  auto third = must(bench.queue->mark_order(), "mark_order");
  must(bench.queue->flush(), "flush");
  must(third->wait(), "wait");
  expect(third->reached(), "a mark for order");
  if (auto elapsed = third->since(*first)) expect(*elapsed > 0, "time goes on");
  if (auto elapsed = second->since(*first)) expect(*elapsed > 0, "time goes on");
}

void queues_wait_for_marks(Bench& bench) {
  Region region(bench.device, 16 << 20);
  auto other = must(bench.device.create_queue(), "create_queue");
  for (uint32_t round = 1; round < 20; ++round) {
    must(bench.queue->fill(region.data(), round, 4, region.size()), "fill");
    auto mark = must(round % 2 == 0 ? bench.queue->mark() : bench.queue->mark_order(), "mark");
    must(bench.queue->flush(), "flush");
    must(other->wait_for(*mark), "wait_for");
    uint32_t* last = region.as<uint32_t>(region.size() - 4);
    if (!bench.device.info().host_memory) must(other->download(last, last, 4), "download");
    must(other->synchronize(), "synchronize");
    expect(*last == round, fmt::format("round {}", round));
  }
}

void queues_from_two_threads(Bench& bench) {
  std::string failures[2];
  std::thread threads[2];
  for (int t = 0; t < 2; ++t) {
    threads[t] = std::thread([&, t] {
      try {
        Bench mine(bench.device);
        for (uint32_t round = 0; round < 50; ++round) {
          Region region(bench.device, 1 << 20);
          must(mine.queue->fill(region.data(), round, 4, region.size()), "fill");
          mine.download(region);
          expect(region.as<uint32_t>()[1000] == round, "contents");
        }
      } catch (const Failed& failure) {
        failures[t] = failure.why;
      } catch (const Unsupported&) {
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (auto& failure : failures) expect(failure.empty(), failure);
}

void loading_reports_errors(Bench& bench) {
  KernelSource source;
  source.ptx =
      ".version 7.5\n.target sm_52\n.address_size 64\n.visible .entry k() { bogus.u32 %r1; ret; "
      "}\n";
  source.ptx_hash = {1, 2};
  source.kernel = "k";
  source.module_name = "broken";
  auto broken = bench.device.load(source);
  expect(!broken, "invalid PTX is not loaded");
  if (broken.status().code() == StatusCode::not_supported)
    throw Unsupported{broken.status().message()};
  expect(!broken.status().message().empty(), "a message");
  source.ptx = kKernels;
  source.ptx_hash = {0x636f6e666f726d, 1};
  source.kernel = "no_such_kernel";
  expect(!bench.device.load(source), "a kernel that is not there is not loaded");
}

void adds_vectors(Bench& bench) {
  constexpr uint32_t kCount = 100000;
  Region a(bench.device, kCount * 4), b(bench.device, kCount * 4), c(bench.device, kCount * 4);
  for (uint32_t i = 0; i < kCount; ++i) {
    a.as<float>()[i] = static_cast<float>(i);
    b.as<float>()[i] = 0.5f;
  }
  auto kernel = bench.load("vector_add", {256, 1, 1}, kThreePointers);
  bench.upload(a);
  bench.upload(b);
  bench.upload(c);
  Parameters parameters;
  parameters.add(a.address()).add(b.address()).add(c.address()).add(kCount);
  must(bench.queue->launch(whole(kernel, parameters, {(kCount + 255) / 256, 1, 1}, {256, 1, 1})),
       "launch");
  bench.download(c);
  for (uint32_t i = 0; i < kCount; ++i)
    expect(c.as<float>()[i] == static_cast<float>(i) + 0.5f, fmt::format("element {}", i));
  expect(kCount * 4 == c.size() || c.as<float>()[kCount] == 0, "nothing behind the end");
}

void pointers_into_the_middle(Bench& bench) {
  Region region(bench.device, 1 << 20);
  for (uint32_t i = 0; i < 3000; ++i) region.as<float>()[i] = static_cast<float>(i);
  auto kernel = bench.load("vector_add", {64, 1, 1}, kThreePointers);
  bench.upload(region);
  Parameters parameters;  // three arguments in one allocation
  parameters.add(region.address(4 * 10))
      .add(region.address(4 * 500))
      .add(region.address(1 << 19))
      .add(700u);
  must(bench.queue->launch(whole(kernel, parameters, {11, 1, 1}, {64, 1, 1})), "launch");
  bench.download(region);
  for (uint32_t i = 0; i < 700; ++i)
    expect(region.as<float>(1 << 19)[i] == static_cast<float>(510 + 2 * i),
           fmt::format("element {}", i));
}

std::vector<uint32_t> positions(Dim3 grid, Dim3 block) {
  std::vector<uint32_t> words;
  for (uint32_t bz = 0; bz < grid.z; ++bz)
    for (uint32_t by = 0; by < grid.y; ++by)
      for (uint32_t bx = 0; bx < grid.x; ++bx)
        for (uint32_t y = 0; y < block.y; ++y)
          for (uint32_t x = 0; x < block.x; ++x)
            words.insert(words.end(), {bx, by, bz, grid.x, grid.y, grid.z, x, y});
  return words;
}

void knows_where_threads_are(Bench& bench) {
  constexpr Dim3 kGrid{3, 4, 5}, kBlock{8, 5, 1};
  auto expected = positions(kGrid, kBlock);
  Region out(bench.device, expected.size() * 4);
  auto kernel = bench.load("where", kBlock, kOnePointer);
  bench.upload(out);
  Parameters parameters;
  parameters.add(out.address());
  must(bench.queue->launch(whole(kernel, parameters, kGrid, kBlock)), "launch");
  bench.download(out);
  for (size_t i = 0; i < expected.size(); ++i)
    expect(out.as<uint32_t>()[i] == expected[i], fmt::format("word {}", i));
}

void runs_slices(Bench& bench) {
  constexpr Dim3 kGrid{5, 4, 3}, kBlock{16, 2, 1};
  auto expected = positions(kGrid, kBlock);
  Region out(bench.device, expected.size() * 4);
  auto kernel = bench.load("where", kBlock, kOnePointer);
  bench.upload(out);
  Parameters parameters;
  parameters.add(out.address());
  Launch launch = whole(kernel, parameters, kGrid, kBlock);
  // Out of order, and cut in every dimension.
  const std::pair<Dim3, Dim3> slices[] = {{{0, 0, 2}, {5, 4, 1}},
                                          {{0, 0, 0}, {5, 1, 2}},
                                          {{3, 1, 0}, {2, 3, 2}},
                                          {{0, 1, 0}, {3, 3, 1}},
                                          {{0, 1, 1}, {3, 3, 1}}};
  size_t block_words = size_t{8} * kBlock.x * kBlock.y;
  for (auto& [first, count] : slices) {
    launch.first = first;
    launch.count = count;
    must(bench.queue->launch(launch), "launch");
  }
  bench.download(out);
  for (size_t i = 0; i < expected.size(); ++i)
    expect(out.as<uint32_t>()[i] == expected[i], fmt::format("block {}", i / block_words));
}

void passes_parameters_of_all_sizes(Bench& bench) {
  struct Large {
    uint64_t words[3] = {1, 2, 0x0123456789abcdef};
  };
  Region out(bench.device, 4096);
  auto kernel = bench.load("parameters", {1, 1, 1}, kOnePointer);
  bench.upload(out);
  Parameters parameters;
  parameters.add(out.address()).add(uint8_t{200}).add(uint16_t{60000}).add(4000000000u);
  parameters.add(uint64_t{1} << 60).add(Large{});
  must(bench.queue->launch(whole(kernel, parameters, {1, 1, 1}, {1, 1, 1})), "launch");
  bench.download(out);
  const uint64_t expected[] = {200, 60000, 4000000000, uint64_t{1} << 60, 0x0123456789abcdef};
  for (size_t i = 0; i < 5; ++i)
    expect(out.as<uint64_t>()[i] == expected[i], fmt::format("parameter {}", i));
}

void has_shared_memory_and_barriers(Bench& bench) {
  constexpr uint32_t kBlocks = 37;
  Region in(bench.device, kBlocks * 512), out(bench.device, kBlocks * 4);
  for (uint32_t i = 0; i < kBlocks * 128; ++i) in.as<uint32_t>()[i] = i * 2654435761u;
  auto kernel = bench.load("block_sum", {128, 1, 1}, kTwoPointers);
  bench.upload(in);
  bench.upload(out);
  Parameters parameters;
  parameters.add(in.address()).add(out.address());
  must(bench.queue->launch(whole(kernel, parameters, {kBlocks, 1, 1}, {128, 1, 1})), "launch");
  bench.download(out);
  for (uint32_t block = 0; block < kBlocks; ++block) {
    auto* first = in.as<uint32_t>() + block * 128;
    expect(out.as<uint32_t>()[block] == std::accumulate(first, first + 128, 0u),
           fmt::format("block {}", block));
  }
}

void has_dynamic_shared_memory(Bench& bench) {
  constexpr uint32_t kThreads = 160, kBlocks = 6;
  Region data(bench.device, kThreads * kBlocks * 4);
  std::iota(data.as<uint32_t>(), data.as<uint32_t>() + kThreads * kBlocks, 0u);
  auto kernel = bench.load("reverse", {kThreads, 1, 1}, kOnePointer);
  bench.upload(data);
  Parameters parameters;
  parameters.add(data.address());
  Launch launch = whole(kernel, parameters, {kBlocks, 1, 1}, {kThreads, 1, 1});
  launch.dynamic_shared_bytes = kThreads * 4;
  must(bench.queue->launch(launch), "launch");
  bench.download(data);
  for (uint32_t i = 0; i < kThreads * kBlocks; ++i) {
    uint32_t mirrored = i / kThreads * kThreads + (kThreads - 1 - i % kThreads);
    expect(data.as<uint32_t>()[i] == mirrored, fmt::format("element {}", i));
  }
}

void has_atomics(Bench& bench) {
  constexpr uint32_t kCount = 64 * 1000;
  Region data(bench.device, kCount * 4), histogram(bench.device, 64);
  uint32_t expected[16] = {};
  for (uint32_t i = 0; i < kCount; ++i) {
    data.as<uint32_t>()[i] = i * i + 3 * i;
    ++expected[(i * i + 3 * i) % 16];
  }
  auto kernel = bench.load("histogram", {64, 1, 1}, kTwoPointers);
  bench.upload(data);
  bench.upload(histogram);
  Parameters parameters;
  parameters.add(data.address()).add(histogram.address());
  must(bench.queue->launch(whole(kernel, parameters, {kCount / 64, 1, 1}, {64, 1, 1})), "launch");
  bench.download(histogram);
  for (size_t i = 0; i < 16; ++i)
    expect(histogram.as<uint32_t>()[i] == expected[i], fmt::format("bin {}", i));
}

void has_warps_of_32(Bench& bench) {
  constexpr uint32_t kCount = 96 * 5;
  Region data(bench.device, kCount * 4);
  for (uint32_t i = 0; i < kCount; ++i) data.as<uint32_t>()[i] = i * i;
  auto kernel = bench.load("warp_sum", {96, 1, 1}, kOnePointer);
  bench.upload(data);
  Parameters parameters;
  parameters.add(data.address());
  must(bench.queue->launch(whole(kernel, parameters, {5, 1, 1}, {96, 1, 1})), "launch");
  bench.download(data);
  for (uint32_t i = 0; i < kCount; ++i) {
    uint32_t sum = 0;
    for (uint32_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j) sum += j * j;
    expect(data.as<uint32_t>()[i] == sum, fmt::format("element {}", i));
  }
}

void has_module_variables(Bench& bench) {
  Region storage(bench.device, 4096), out(bench.device, 4096);
  storage.as<uint32_t>()[0] = 17;
  storage.as<float>(256)[0] = 2;
  storage.as<float>(256)[1] = 3;
  const Variable variables[] = {{"counter", storage.data(), 4, false},
                                {"factors", storage.as<void>(256), 8, true}};
  auto kernel = bench.load("variables", {1, 1, 1}, kOnePointer, variables);
  bench.upload(storage);
  bench.upload(out);
  Parameters parameters;
  parameters.add(out.address());
  Launch launch = whole(kernel, parameters, {1, 1, 1}, {1, 1, 1});
  must(bench.queue->launch(launch), "launch");
  must(bench.queue->launch(launch), "launch");
  bench.download(out);
  expect(out.as<uint32_t>()[0] == 19, "a global variable counts");
  expect(out.as<float>()[1] == 23, "constants");
  bench.download(storage);
  expect(storage.as<uint32_t>()[0] == 19, "the program sees the variable where it has it");
  storage.as<float>(256)[0] = 5;  // cudaMemcpyToSymbol
  bench.upload(storage);
  must(bench.queue->launch(launch), "launch");
  bench.download(out);
  expect(out.as<float>()[1] == 53, "a constant that was changed");
}

void follows_stored_pointers(Bench& bench) {
  if (!bench.device.info().stored_pointers)
    throw Unsupported{"pointers in memory are not translated"};
  Region memory(bench.device, 1 << 20), other(bench.device, 1 << 20);
  memory.as<uint64_t>()[0] = other.address(5000);
  *other.as<uint32_t>(5000) = 31415;
  auto kernel = bench.load("follow", {1, 1, 1}, kTwoPointers);
  bench.upload(memory);
  bench.upload(other);
  Parameters parameters;
  parameters.add(memory.address()).add(memory.address(64));
  must(bench.queue->launch(whole(kernel, parameters, {1, 1, 1}, {1, 1, 1})), "launch");
  bench.download(memory);
  expect(*memory.as<uint32_t>(64) == 31415, "the value behind the pointer");
}

void two_devices_have_memory_of_their_own(Bench& bench) {
  if (bench.peer == nullptr) throw Alone{};
  Region region(bench.device, 4 << 20, bench.peer);
  Bench there(*bench.peer);
  auto* words = region.as<uint32_t>();
  std::iota(words, words + 1000, 10u);
  bench.upload(region, 0, 4000);
  must(bench.queue->synchronize(), "synchronize");
  std::iota(words, words + 1000, 50000u);
  there.upload(region, 0, 4000);
  must(there.queue->synchronize(), "synchronize");
  bench.download(region, 0, 4000);
  for (uint32_t i = 0; i < 1000; ++i) expect(words[i] == 10 + i, fmt::format("word {}", i));
  there.download(region, 0, 4000);
  for (uint32_t i = 0; i < 1000; ++i) expect(words[i] == 50000 + i, fmt::format("word {}", i));
}

void copies_from_a_peer(Bench& bench) {
  if (bench.peer == nullptr) throw Alone{};
  if (!bench.device.can_copy_from(*bench.peer)) throw Unsupported{"no copies between devices"};
  constexpr size_t kBytes = 5 << 20;
  Region region(bench.device, kBytes, bench.peer);
  Bench there(*bench.peer);
  auto* words = region.as<uint32_t>();
  std::iota(words, words + kBytes / 4, 1u);
  there.upload(region);
  must(there.queue->synchronize(), "synchronize");
  std::fill(words, words + kBytes / 4, 0u);
  bench.upload(region);
  // The host's contents take no part; a second copy finds the way that the first one made.
  for (auto [at, bytes] : {std::pair<size_t, size_t>{4096, 3 << 20}, {kBytes - 100, 96}})
    must(bench.queue->copy_from_peer(*bench.peer, region.as<void>(at), region.as<void>(at), bytes),
         "copy_from_peer");
  bench.download(region);
  for (size_t i = 0; i < kBytes / 4; ++i) {
    const size_t at = 4 * i;
    const bool copied =
        (at >= 4096 && at < 4096 + (3 << 20)) || (at >= kBytes - 100 && at < kBytes - 4);
    expect(words[i] == (copied ? i + 1 : 0), fmt::format("word {}", i));
  }
  must(there.queue->copy_from_peer(bench.device, region.as<void>(64), region.as<void>(4096), 4096),
       "copy_from_peer");
  there.download(region, 0, 8192);
  expect(words[16] == 1025 && words[1023] == 2032, "the other way, to another place");
}

void kernels_of_two_devices_share_parameters(Bench& bench) {
  if (bench.peer == nullptr) throw Alone{};
  constexpr uint32_t kCount = 5000;
  Region region(bench.device, 1 << 20, bench.peer);
  Bench there(*bench.peer);
  Parameters parameters;
  parameters.add(region.address(0)).add(region.address(1 << 18)).add(region.address(1 << 19));
  parameters.add(kCount);
  for (Bench* each : {&there, &bench}) {
    const float value = each == &bench ? 3 : 70;
    std::fill_n(region.as<float>(0), kCount, value);
    std::fill_n(region.as<float>(1 << 18), kCount, 0.25f);
    each->upload(region);
    auto kernel = each->load("vector_add", {256, 1, 1}, kThreePointers);
    Launch launch = whole(kernel, parameters, {(kCount + 255) / 256, 1, 1}, {256, 1, 1});
    must(each->queue->launch(launch), "launch");
    each->download(region, 1 << 19, kCount * 4);
    for (uint32_t i = 0; i < kCount; ++i)
      expect(region.as<float>(1 << 19)[i] == value + 0.25f, fmt::format("element {}", i));
  }
}

void keeps_order_without_waiting(Bench& bench) {
  constexpr uint32_t kCount = 4096;
  Region a(bench.device, kCount * 4), one(bench.device, kCount * 4);
  std::fill_n(one.as<float>(), kCount, 1.0f);
  auto kernel = bench.load("vector_add", {128, 1, 1}, kThreePointers);
  bench.upload(a);
  bench.upload(one);
  Parameters parameters;
  parameters.add(a.address()).add(one.address()).add(a.address()).add(kCount);
  for (int i = 0; i < 300; ++i)
    must(bench.queue->launch(whole(kernel, parameters, {kCount / 128, 1, 1}, {128, 1, 1})),
         "launch");
  bench.download(a);
  expect(a.as<float>()[0] == 300 && a.as<float>()[kCount - 1] == 300, "300 additions");
}

void launches_do_not_keep_their_arguments(Bench& bench) {
  Region out(bench.device, 4096);
  bench.upload(out);
  auto kernel = bench.load("parameters", {1, 1, 1}, kOnePointer);
  {
    auto parameters = std::make_unique<Parameters>();
    parameters->add(out.address()).add(uint8_t{1}).add(uint16_t{2}).add(3u).add(uint64_t{4});
    parameters->add(std::array<uint64_t, 3>{5, 6, 7});
    must(bench.queue->launch(whole(kernel, *parameters, {1, 1, 1}, {1, 1, 1})), "launch");
    std::memset(const_cast<std::byte*>(parameters->block().data()), 0xff,
                parameters->block().size());
  }
  bench.download(out);
  expect(out.as<uint64_t>()[4] == 7, "the value at the time of the launch");
}

template <typename In, typename Out, typename Sum>
void multiplies(Bench& bench, ElementType type) {
  // Memory for the largest; a device without products leaves this function, and the memory goes.
  Region a(bench.device, 1 << 20), b(bench.device, 1 << 20), c(bench.device, 1 << 20);
  constexpr Transpose kAll[] = {Transpose::none, Transpose::transpose, Transpose::conjugate};
  constexpr typename Product<In, Out, Sum>::Sizes kSizes[] = {
      {70, 33, 129}, {131, 17, 300}, {1, 9, 40}, {40, 1, 3}, {5, 7, 0}};
  auto same_place = [&](const Region& region, const auto& values) {
    size_t bytes = values.size() * sizeof values[0];
    expect(bytes <= region.size(), "room for the case");
    std::memcpy(region.data(), values.data(), bytes);
    bench.upload(region, 0, bytes);
  };
  for (Transpose ta : kAll) {
    for (Transpose tb : kAll) {
      for (const auto& sizes : kSizes) {
        for (bool reads_c : {false, true}) {
          Product<In, Out, Sum> product(ta, tb, sizes, reads_c);
          same_place(a, product.a);
          same_place(b, product.b);
          same_place(c, product.c);
          must(bench.queue->synchronize(), "synchronize");
          const GemmProblem problem = product.problem(type, a.data(), b.data(), c.data());
          must(bench.device.prepare_gemm(problem), "prepare_gemm");
          must(bench.queue->gemm(problem), "gemm");
          bench.download(c, 0, product.c.size() * sizeof(Out));
          std::string wrong = product.wrong(c.as<Out>());
          expect(wrong.empty(), wrong);
        }
      }
    }
  }
}

void multiplies_f32(Bench& bench) { multiplies<float, float, float>(bench, ElementType::f32); }
void multiplies_f64(Bench& bench) { multiplies<double, double, double>(bench, ElementType::f64); }
void multiplies_c32(Bench& bench) {
  using T = std::complex<float>;
  multiplies<T, T, T>(bench, ElementType::c32);
}
void multiplies_c64(Bench& bench) {
  using T = std::complex<double>;
  multiplies<T, T, T>(bench, ElementType::c64);
}
void multiplies_f16(Bench& bench) {
  multiplies<_Float16, _Float16, float>(bench, ElementType::f16);
}
void multiplies_f16_to_f32(Bench& bench) {
  multiplies<_Float16, float, float>(bench, ElementType::f16);
}
void multiplies_bf16(Bench& bench) {
  multiplies<Bfloat16, Bfloat16, float>(bench, ElementType::bf16);
}
void multiplies_bf16_to_f32(Bench& bench) {
  multiplies<Bfloat16, float, float>(bench, ElementType::bf16);
}
void multiplies_s8(Bench& bench) { multiplies<int8_t, int32_t, int32_t>(bench, ElementType::s8); }

void a_trap_is_an_error(Bench& bench) {
  auto kernel = bench.load("trap", {32, 1, 1}, {});
  Parameters parameters;
  Status status = bench.queue->launch(whole(kernel, parameters, {1, 1, 1}, {32, 1, 1}));
  if (status) status = bench.queue->synchronize();
  if (status.code() == StatusCode::not_supported) throw Unsupported{status.message()};
  expect(status.code() == StatusCode::launch_failed ||
             status.code() == StatusCode::illegal_instruction,
         fmt::format("719 or 715, not {}", static_cast<int>(status.code())));
}

constexpr Case kCases[] = {
    {"has_a_name", has_a_name},
    {"transfers_whole_and_in_part", transfers_whole_and_in_part},
    {"transfers_other_host_memory", transfers_other_host_memory},
    {"copies_within", copies_within},
    {"fills", fills},
    {"refuses_bad_ranges", refuses_bad_ranges},
    {"maps_again_at_the_same_place", maps_again_at_the_same_place},
    {"too_much_memory", too_much_memory},
    {"marks_are_reached", marks_are_reached},
    {"queues_wait_for_marks", queues_wait_for_marks},
    {"queues_from_two_threads", queues_from_two_threads},
    {"loading_reports_errors", loading_reports_errors},
    {"adds_vectors", adds_vectors},
    {"pointers_into_the_middle", pointers_into_the_middle},
    {"knows_where_threads_are", knows_where_threads_are},
    {"runs_slices", runs_slices},
    {"passes_parameters_of_all_sizes", passes_parameters_of_all_sizes},
    {"has_shared_memory_and_barriers", has_shared_memory_and_barriers},
    {"has_dynamic_shared_memory", has_dynamic_shared_memory},
    {"has_atomics", has_atomics},
    {"has_warps_of_32", has_warps_of_32},
    {"has_module_variables", has_module_variables},
    {"follows_stored_pointers", follows_stored_pointers},
    {"two_devices_have_memory_of_their_own", two_devices_have_memory_of_their_own},
    {"copies_from_a_peer", copies_from_a_peer},
    {"kernels_of_two_devices_share_parameters", kernels_of_two_devices_share_parameters},
    {"keeps_order_without_waiting", keeps_order_without_waiting},
    {"launches_do_not_keep_their_arguments", launches_do_not_keep_their_arguments},
    {"multiplies_f32", multiplies_f32},
    {"multiplies_f64", multiplies_f64},
    {"multiplies_c32", multiplies_c32},
    {"multiplies_c64", multiplies_c64},
    {"multiplies_f16", multiplies_f16},
    {"multiplies_f16_to_f32", multiplies_f16_to_f32},
    {"multiplies_bf16", multiplies_bf16},
    {"multiplies_bf16_to_f32", multiplies_bf16_to_f32},
    {"multiplies_s8", multiplies_s8},
};
/// Comes last: a device need not survive it.
constexpr Case kLastCase[] = {{"a_trap_is_an_error", a_trap_is_an_error}};

const std::vector<Case>& all_cases() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> all;
    for (std::span<const Case> some :
         {std::span<const Case>(kCases), queue_cases(), shared_memory_cases(), texture_cases(),
          std::span<const Case>(kLastCase)})
      all.insert(all.end(), some.begin(), some.end());
    return all;
  }();
  return cases;
}

Subject& the_subject() {
  static Subject subject;
  return subject;
}

/// The same devices for all cases: backends must not depend on fresh ones.
const Discovery& the_devices() {
  static Discovery found = the_subject().discover();
  return found;
}

TEST_P(Conformance, Case) {
  const Subject& subject = the_subject();
  const auto& devices = the_devices().devices;
  if (devices.empty()) GTEST_SKIP() << "no device: " << the_devices().note;
  const Case& wanted = *std::find_if(all_cases().begin(), all_cases().end(),
                                     [](const Case& each) { return GetParam() == each.name; });
  std::string failure;
  try {
    Bench bench(*devices[0], devices.size() > 1 ? devices[1].get() : nullptr);
    wanted.run(bench);
  } catch (const Alone&) {
    GTEST_SKIP() << "there is one device";
  } catch (const Unsupported& unsupported) {
    bool allowed =
        !subject.complete ||
        std::any_of(subject.may_be_unsupported.begin(), subject.may_be_unsupported.end(),
                    [](const std::string& prefix) { return GetParam().starts_with(prefix); });
    ASSERT_TRUE(allowed) << "must be supported: " << unsupported.why;
    RecordProperty("outcome", "unsupported");
    GTEST_SKIP() << "unsupported: " << unsupported.why;
  } catch (const Failed& failed) {
    failure = failed.why;
  }
  auto expected = subject.expected_failures.find(GetParam());
  if (expected == subject.expected_failures.end()) {
    ASSERT_TRUE(failure.empty()) << failure;
    return;
  }
  ASSERT_FALSE(failure.empty()) << "unexpected pass; it was listed because: " << expected->second;
  RecordProperty("outcome", "expected failure");
  GTEST_SKIP() << "expected failure (" << expected->second << "): " << failure;
}

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const Case& each : all_cases()) names.emplace_back(each.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Device, Conformance, testing::ValuesIn(case_names()),
                         [](const auto& info) { return info.param; });

}  // namespace

void add_subject(Subject subject) { the_subject() = std::move(subject); }

}  // namespace guda::backend::conformance
