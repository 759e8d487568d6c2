# OpenCV with only what reads pictures. Its wheel brings the codecs of films and an algebra besides: an eighth of all that
# would be installed.
set(BUILD_LIST core,imgproc,imgcodecs,python3 CACHE STRING "")
set(CPU_DISPATCH AVX2 CACHE STRING "")
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
set(CMAKE_SKIP_RPATH ON CACHE BOOL "")  # it would look for its libraries where one happens to be
set(PYTHON3_LIMITED_API ON CACHE BOOL "")
set(OPENCV_SKIP_PYTHON_LOADER ON CACHE BOOL "")  # one file instead of a package that finds it
foreach(name SHARED_LIBS TESTS PERF_TESTS JAVA opencv_apps)
    set(BUILD_${name} OFF CACHE BOOL "")
endforeach()
foreach(name ZLIB PNG JPEG)  # not the machine's
    set(BUILD_${name} ON CACHE BOOL "")
endforeach()
foreach(name FFMPEG LAPACK EIGEN OPENCL IPP ITT OPENEXR AVIF JASPER OPENJPEG TIFF WEBP)
    set(WITH_${name} OFF CACHE BOOL "")
endforeach()
