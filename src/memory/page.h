// The HTML page of the report, made by npm when the library was built; empty where it was not.
#pragma once

#include <string_view>

namespace tenure::memory::detail {

/// Where the data goes is marked by an empty element: page_data_marker.
std::string_view report_page() noexcept;
inline constexpr std::string_view page_data_marker = "<script type=\"application/json\" id=\"tenure-data\">null</script>";

}  // namespace tenure::memory::detail
