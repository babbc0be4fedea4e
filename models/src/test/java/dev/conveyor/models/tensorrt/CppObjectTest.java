package dev.conveyor.models.tensorrt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.sun.jna.Function;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against a C++ compiler's own idea of where virtual functions are. */
class CppObjectTest {

  /** The interfaces of TensorRT's headers, as far as they are virtual. */
  private static final String SOURCE =
      """
      static int deleted = 0;
      struct Base { virtual ~Base() { deleted += 1; } };
      struct Engine : Base { ~Engine() override { deleted += 10; } };
      struct Parser {
        virtual int parse() = 0;
        virtual ~Parser() { deleted += 100; }
      };
      struct RealParser : Parser { int parse() override { return 7; } };
      struct Profiler {
        virtual void report(const char* layer, float ms) = 0;
        virtual ~Profiler() {}
      };
      struct InterfaceInfo { const char* kind; int major; int minor; };
      struct Versioned {
        virtual int getAPILanguage() const noexcept { return 5; }
        virtual InterfaceInfo getInterfaceInfo() const noexcept = 0;
        virtual ~Versioned() noexcept = default;
      };
      struct Progress : Versioned {
        virtual ~Progress() noexcept = default;
        InterfaceInfo getInterfaceInfo() const noexcept override { return {"none", 0, 0}; }
        virtual void phaseStart(const char* phase, const char* parent, int steps) noexcept = 0;
        virtual bool stepComplete(const char* phase, int step) noexcept = 0;
        virtual void phaseFinish(const char* phase) noexcept = 0;
      };
      extern "C" {
        int monitor(Progress* p) {
          InterfaceInfo info = p->getInterfaceInfo();
          if (p->getAPILanguage() != 0 || info.kind[1] != 'P' || info.major != 1 || info.minor) {
            return -1;
          }
          p->phaseStart("build", nullptr, 4);
          p->phaseStart("time", "build", 2);
          int steps = 0;
          while (steps < 4 && p->stepComplete("build", steps)) {
            steps++;
          }
          p->phaseFinish("build");
          return steps;
        }
        int deletions() { return deleted; }
        Base* newEngine() { return new Engine; }
        Parser* newParser() { return new RealParser; }
        void profile(Profiler* p) { p->report("conv", 1.5f); p->report("conv", 0.5f); }
      }
      """;

  @TempDir private Path directory;

  @Test
  void shouldCallAndBeCalledWhereTheCompilerSays() throws Exception {
    NativeLibrary library = compile();

    long engine = Pointer.nativeValue(pointer(library, "newEngine"));
    CppObject.delete(engine);
    assertThat(number(library, "deletions")).isEqualTo(11);
    CppObject.delete(Pointer.nativeValue(pointer(library, "newParser")), 2);
    assertThat(number(library, "deletions")).isEqualTo(111);
    CppObject.delete(0);

    LayerTimes times = new LayerTimes();
    var profiler = NativeProfiler.object(times);
    call(library, "profile", new Pointer(profiler.address()));
    assertThat(times.slowestFirst()).isEqualTo(List.of(new LayerTimes.Layer("conv", 2, 2.0)));
  }

  @Test
  void shouldHearOfProgressAndStopTheBuild() throws Exception {
    NativeLibrary library = compile();
    List<String> lines = new ArrayList<>();
    BuildProgress progress = new BuildProgress(lines::add, () -> lines.contains("build: 75 %"));
    NativeProgress monitor = new NativeProgress(progress);

    try {
      assertThat(number(library, "monitor", new Pointer(monitor.address()))).isEqualTo(2);
    } finally {
      Reference.reachabilityFence(monitor);
    }

    assertThat(lines)
        .containsExactly(
            "build: 4 steps", "build: 25 %", "build: 50 %", "build: 75 %", "build: done");
  }

  private NativeLibrary compile() throws IOException, InterruptedException {
    Path source = Files.writeString(directory.resolve("objects.cpp"), SOURCE);
    Path library = directory.resolve("libobjects.so");
    Process compiler;
    try {
      compiler =
          new ProcessBuilder(
                  "g++",
                  "-shared",
                  "-fPIC",
                  "-Wl,-Bsymbolic",
                  "-O1",
                  "-o",
                  library.toString(),
                  source.toString())
              .redirectError(directory.resolve("errors").toFile())
              .start();
    } catch (IOException e) {
      assumeThat(e).as("no g++ on the path").isNull();
      throw e;
    }
    assertThat(compiler.waitFor()).as(Files.readString(directory.resolve("errors"))).isZero();
    return NativeLibrary.getInstance(library.toString());
  }

  private static Pointer pointer(NativeLibrary library, String name) {
    return library.getFunction(name).invokePointer(new Object[0]);
  }

  private static int number(NativeLibrary library, String name, Object... arguments) {
    return library.getFunction(name).invokeInt(arguments);
  }

  private static void call(NativeLibrary library, String name, Object... arguments) {
    Function function = library.getFunction(name);
    function.invokeVoid(arguments);
  }
}
