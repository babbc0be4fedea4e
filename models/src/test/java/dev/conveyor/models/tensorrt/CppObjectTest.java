package dev.conveyor.models.tensorrt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.sun.jna.Function;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
      extern "C" {
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

  private NativeLibrary compile() throws IOException, InterruptedException {
    Path source = Files.writeString(directory.resolve("objects.cpp"), SOURCE);
    Path library = directory.resolve("libobjects.so");
    Process compiler;
    try {
      compiler =
          new ProcessBuilder(
                  "g++", "-shared", "-fPIC", "-O1", "-o", library.toString(), source.toString())
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
