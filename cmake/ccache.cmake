# The presets compile through ccache where it is installed.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # What ccache asks for before it caches files that read precompiled headers; no source here uses __TIME__.
  set(launcher "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros;${CCACHE_PROGRAM}")
  set(CMAKE_C_COMPILER_LAUNCHER "${launcher}" CACHE STRING "")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${launcher}" CACHE STRING "")
endif()
