#include "compiler/driver/access_summary.h"

#include "support/byte_stream.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace guda::access {
namespace {

constexpr uint32_t kMagic = 0x53434147;  // "GACS"

void write_node(ByteWriter& out, const Node& node) {
  out.plain(node.op);
  out.plain(node.bits);
  out.plain(node.relation);
  out.plain(node.detail);
  out.plain(node.a);
  out.plain(node.b);
  out.plain(node.c);
  out.plain(node.value);
}

Node read_node(ByteReader& in) {
  Node node;
  node.op = in.plain<Op>();
  node.bits = in.plain<uint8_t>();
  node.relation = in.plain<Relation>();
  node.detail = in.plain<uint8_t>();
  node.a = in.plain<int32_t>();
  node.b = in.plain<int32_t>();
  node.c = in.plain<int32_t>();
  node.value = in.plain<int64_t>();
  return node;
}

constexpr size_t kNodeBytes = 24;
constexpr size_t kAccessBytes = 16;

/// Operands that the operation reads.
int operand_count(Op op) {
  switch (op) {
    case Op::constant:
    case Op::parameter:
    case Op::variable:
    case Op::tid:
    case Op::ctaid:
    case Op::ntid:
    case Op::nctaid:
    case Op::unknown:
    case Op::bounded:
    case Op::own_memory:
    case Op::iterate: return 0;
    case Op::sign_extend:
    case Op::zero_extend:
    case Op::truncate:
    case Op::shift_right_signed: return 1;
    case Op::trip:
    case Op::loop_value: return 3;
    default: return 2;
  }
}

bool consistent(const AccessSummary& summary) {
  for (size_t i = 0; i < summary.nodes.size(); ++i) {
    const Node& node = summary.nodes[i];
    if (node.op > Op::loop_value || node.relation > Relation::greater_equal_unsigned) return false;
    if (node.bits == 0 || node.bits > 64) return false;
    const auto earlier = [&](int32_t operand) {
      return operand >= 0 && static_cast<size_t>(operand) < i;
    };
    const int operands = operand_count(node.op);
    if (operands > 0 && !earlier(node.a)) return false;
    if (operands > 1 && !earlier(node.b)) return false;
    if (operands > 2 && !earlier(node.c)) return false;
    const auto is_trip = [&](int32_t operand) {
      return earlier(operand) && summary.nodes[static_cast<size_t>(operand)].op == Op::trip;
    };
    switch (node.op) {
      case Op::tid:
      case Op::ctaid:
      case Op::ntid:
      case Op::nctaid:
        if (node.value < 0 || node.value > 2) return false;
        break;
      case Op::variable:
        if (node.value < 0 || static_cast<uint64_t>(node.value) >= summary.variables.size())
          return false;
        break;
      case Op::parameter:
        if (node.value < 0 || node.value > (1 << 24) || node.bits % 8 != 0) return false;
        break;
      case Op::shift_right_signed:
        if (node.value < 0 || node.value > 63) return false;
        break;
      case Op::bounded:
        if (node.value < 0) return false;
        break;
      case Op::iterate:
        for (const int32_t trip : {node.a, node.b, node.c})
          if (trip != -1 && !is_trip(trip)) return false;
        break;
      case Op::loop_value:
        if (!is_trip(node.c)) return false;
        break;
      default: break;
    }
  }
  for (const Access& access : summary.accesses) {
    if (access.kind > AccessKind::atomic || access.combine > Combine::bit_xor ||
        access.root > Root::variable)
      return false;
    if (access.address < -1 || access.address >= static_cast<int64_t>(summary.nodes.size()))
      return false;
    if (access.root == Root::variable && access.root_index >= summary.variables.size())
      return false;
  }
  return true;
}

}  // namespace

bool AccessSummary::writes() const {
  return std::any_of(accesses.begin(), accesses.end(),
                     [](const Access& access) { return access.kind != AccessKind::read; });
}

std::string serialize(const AccessSummary& summary) {
  ByteWriter out;
  out.plain(kMagic);
  out.plain(kSummaryVersion);
  out.plain(summary.flags);
  out.plain(summary.block);
  out.plain(summary.counts);
  out.plain(static_cast<uint32_t>(summary.nodes.size()));
  for (const Node& node : summary.nodes) write_node(out, node);
  out.plain(static_cast<uint32_t>(summary.accesses.size()));
  for (const Access& access : summary.accesses) {
    out.plain(access.kind);
    out.plain(access.combine);
    out.plain(access.root);
    out.plain(static_cast<uint8_t>(access.complete));
    out.plain(access.bytes);
    out.plain(access.root_index);
    out.plain(access.address);
  }
  out.plain(static_cast<uint32_t>(summary.variables.size()));
  for (const std::string& name : summary.variables) out.text(name);
  out.plain(static_cast<uint32_t>(summary.pointers.size()));
  for (const uint32_t offset : summary.pointers) out.plain(offset);
  return out.take();
}

Result<AccessSummary> deserialize(std::span<const std::byte> bytes) {
  ByteReader in(bytes);
  const auto damaged = [] { return Status(StatusCode::invalid_image, "damaged access summary"); };
  if (in.plain<uint32_t>() != kMagic) return damaged();
  if (in.plain<uint32_t>() != kSummaryVersion)
    return Status(StatusCode::invalid_image, "access summary of another version");
  AccessSummary summary;
  summary.flags = in.plain<uint32_t>();
  summary.block = in.plain<std::array<uint32_t, 3>>();
  summary.counts = in.plain<InstructionCounts>();
  for (uint32_t i = in.count(kNodeBytes); i > 0 && in.good(); --i)
    summary.nodes.push_back(read_node(in));
  for (uint32_t i = in.count(kAccessBytes); i > 0 && in.good(); --i) {
    Access access;
    access.kind = in.plain<AccessKind>();
    access.combine = in.plain<Combine>();
    access.root = in.plain<Root>();
    access.complete = in.plain<uint8_t>() != 0;
    access.bytes = in.plain<uint32_t>();
    access.root_index = in.plain<uint32_t>();
    access.address = in.plain<int32_t>();
    summary.accesses.push_back(access);
  }
  for (uint32_t i = in.count(4); i > 0 && in.good(); --i) summary.variables.push_back(in.text());
  for (uint32_t i = in.count(4); i > 0 && in.good(); --i)
    summary.pointers.push_back(in.plain<uint32_t>());
  if (!in.good() || !in.at_end() || !consistent(summary)) return damaged();
  return summary;
}

}  // namespace guda::access
