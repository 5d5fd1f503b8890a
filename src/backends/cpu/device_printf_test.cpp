#include "backends/cpu/device_printf.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace guda::cpu {
namespace {

class Arguments {
 public:
  template <typename T>
  Arguments& add(T value) {
    while (bytes_.size() % sizeof(T) != 0) bytes_.push_back(std::byte{0});
    const size_t at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    std::memcpy(bytes_.data() + at, &value, sizeof(T));
    return *this;
  }
  const void* data() const { return bytes_.data(); }

 private:
  std::vector<std::byte> bytes_;
};

std::string print(const char* format, const Arguments& arguments, int32_t* count = nullptr) {
  char buffer[256];
  const FormattedText text = format_device_text(buffer, format, arguments.data());
  if (count != nullptr) *count = text.arguments;
  return {buffer, text.length};
}

TEST(DevicePrintf, PacksIntsInFourBytesAndDoublesInEight) {
  int32_t count = 0;
  EXPECT_EQ(print("%d %f %u %lld|%c%%\n",
                  Arguments().add(-3).add(1.5).add(7u).add(int64_t{1} << 40).add(int{'x'}), &count),
            "-3 1.500000 7 1099511627776|x%\n");
  EXPECT_EQ(count, 5);
}

TEST(DevicePrintf, WidthsPrecisionsAndStars) {
  EXPECT_EQ(print("[%5d][%-5d][%05.1f][%*d][%.*f]",
                  Arguments().add(42).add(42).add(3.25).add(6).add(1).add(2).add(2.0)),
            "[   42][42   ][003.2][     1][2.00]");
}

TEST(DevicePrintf, StringsPointersSizes) {
  EXPECT_EQ(print("%s %zu %p %hd %lx", Arguments()
                                           .add("text")
                                           .add(size_t{9})
                                           .add(reinterpret_cast<void*>(0x10))
                                           .add(70000)
                                           .add(uint64_t{255})),
            "text 9 0x10 4464 ff");
}

TEST(DevicePrintf, MalformedFormatsEnd) {
  int32_t count = 0;
  EXPECT_EQ(print("a%", Arguments(), &count), "a");
  EXPECT_EQ(count, -1);
  EXPECT_EQ(print("a%y", Arguments(), &count), "a%y");
}

TEST(DevicePrintf, LongOutputIsCut) {
  char buffer[8];
  const std::string long_text(100, 'z');
  const FormattedText text =
      format_device_text(buffer, "%s", Arguments().add(long_text.c_str()).data());
  EXPECT_LE(text.length, sizeof(buffer));
}

}  // namespace
}  // namespace guda::cpu
