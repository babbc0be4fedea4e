package dev.conveyor.models.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelConfigReaderTest {

  private static final String DENSENET =
      """
      # An image classifier.
      name: "densenet_onnx"
      platform: "onnxruntime_onnx"
      max_batch_size : 8
      input [
        {
          name: "data_0"
          data_type: TYPE_FP32
          format: FORMAT_NCHW
          dims: [ 3, 224, 224 ]
        }
      ]
      output [
        {
          name: "fc6_1"
          data_type: TYPE_FP32
          dims: [ 1000 ]
          label_filename: "densenet_labels.txt"
        }
      ]
      instance_group [
        { count: 2 kind: KIND_GPU gpus: [ 0, 1 ] },
        { count: 1 kind: KIND_CPU }
      ]
      dynamic_batching {
        preferred_batch_size: [ 4, 8 ]
        max_queue_delay_microseconds: 100
        preserve_ordering: true
        priority_levels: 2
        default_priority_level: 2
        default_queue_policy { timeout_action: DELAY max_queue_size: 64 }
        priority_queue_policy {
          key: 1
          value: { default_timeout_microseconds: 5000 allow_timeout_override: true }
        }
      }
      version_policy: { specific: { versions: [ 1, 3 ] } }
      optimization { graph { level: 1 } }
      model_warmup [
        {
          name: "zeros"
          batch_size: 4
          inputs {
            key: "data_0"
            value: { data_type: TYPE_FP32 dims: [ 3, 224, 224 ] zero_data: true }
          }
        }
      ]
      parameters { key: "session.x" value: { string_value: "1" } }
      parameters {
        key: "conveyor"
        value: { string_value: '{"intra_op_threads": 2, "weight": 0.5, "reject_non_finite": true}' }
      }
      """;

  private @TempDir Path root;
  private Path model;

  @BeforeEach
  void createModel() throws IOException {
    model = Files.createDirectory(root.resolve("densenet_onnx"));
  }

  @Test
  void shouldTellWhatHasNoEffectAndServeAllTheSame() {
    ModelConfig config =
        ModelConfigReader.read(
            "m",
            """
            {"instance_group": [{"profile": ["2"]},
                                {"passive": true, "host_policy": "p", "profile": ["1"],
                                 "rate_limiter": {"priority": 2}}],
             "response_cache": {"enable": true},
             "optimization": {"execution_accelerators":
                 {"cpu_execution_accelerator": [{"name": "openvino"}],
                  "gpu_execution_accelerator": [{"name": "cuda"}]}},
             "parameters": {"inter_op_thread_count": {"string_value": "2"},
                            "exection_provider": {"string_value": "dnnl"},
                            "arena_extend_strategy": {"string_value": "0"},
                            "intra_op_thread_count": {"string_value": "3"}}}
            """);

    assertThat(config.warnings())
        .extracting(line -> line.substring(0, line.indexOf(':')))
        .containsExactly(
            "instance_group[0].profile",
            "instance_group[1].rate_limiter",
            "instance_group[1].passive",
            "instance_group[1].profile",
            "instance_group[1].host_policy",
            "response_cache.enable",
            "optimization.execution_accelerators.cpu_execution_accelerator",
            "optimization.execution_accelerators.gpu_execution_accelerator[0]",
            "parameters.exection_provider",
            "parameters.inter_op_thread_count");
    assertThat(config.warnings().get(8)).contains("did you mean \"execution_provider\"?");
    assertThat(config.extensions().intraOpThreads()).isEqualTo(3);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"backend\": \"tensorrt\"",
        "\"platform\": \"tensorrt_plan\"",
        "\"optimization\": {\"execution_accelerators\": {\"gpu_execution_accelerator\": [{\"name\": \"tensorrt\"}]}}"
      })
  void shouldReadWhichProfilesOfAnEngineInstancesUse(String engine) {
    ModelConfig config =
        ModelConfigReader.read(
            "m",
            "{\"instance_group\": [{\"kind\": \"KIND_CPU\"}, {\"profile\": [\"2\", \"0\"]}], %s}"
                .formatted(engine));

    assertThat(config.engineProfiles()).containsExactly(2, 0);
    assertThat(ModelConfigReader.read("m", ModelConfigWriter.toJson(config)).engineProfiles())
        .containsExactly(2, 0);
    assertThat(config.warnings()).isEmpty();
  }

  @Test
  void shouldPreferTheThreadsOfTheOwnBlock() {
    ModelConfig config =
        ModelConfigReader.read(
            "m",
            """
            {"parameters": {"intra_op_thread_count": {"string_value": "3"}},
             "conveyor": {"intra_op_threads": 2}}
            """);

    assertThat(config.extensions().intraOpThreads()).isEqualTo(2);
  }

  @Test
  void shouldReadTheShapesAndTheFormatOfTritonsQuickStart() throws IOException {
    Files.writeString(
        model.resolve("config.pbtxt"),
        """
        name: "densenet_onnx"
        platform: "onnxruntime_onnx"
        max_batch_size : 0
        input [
          {
            name: "data_0"
            data_type: TYPE_FP32
            format: FORMAT_NCHW
            dims: [ 3, 224, 224 ]
            reshape { shape: [ 1, 3, 224, 224 ] }
          }
        ]
        output [
          {
            name: "fc6_1"
            data_type: TYPE_FP32
            dims: [ 1000 ]
            reshape { shape: [ 1, 1000, 1, 1 ] }
            label_filename: "densenet_labels.txt"
          }
        ]
        """);

    ModelConfig config = ModelConfigReader.read(model);

    assertThat(config.inputs().get(0).reshape()).contains(Shape.of(1, 3, 224, 224));
    assertThat(config.inputs().get(0).format()).isEqualTo(TensorConfig.Format.NCHW);
    assertThat(config.outputs().get(0).reshape()).contains(Shape.of(1, 1000, 1, 1));
    assertThat(ModelConfigWriter.toJson(config))
        .contains("\"format\":\"FORMAT_NCHW\"")
        .contains("\"reshape\":{\"shape\":[1,1000,1,1]}");
  }

  @Test
  void shouldMapEveryKeyOfATritonFile() throws IOException {
    Files.writeString(model.resolve("config.pbtxt"), DENSENET);

    ModelConfig config = ModelConfigReader.read(model);

    assertThat(config.name()).isEqualTo("densenet_onnx");
    assertThat(config.backend()).isEqualTo("onnxruntime");
    assertThat(config.maxBatchSize()).isEqualTo(8);
    assertThat(config.inputs())
        .containsExactly(
            new TensorConfig(
                "data_0",
                DataType.FP32,
                Shape.of(3, 224, 224),
                Optional.empty(),
                TensorConfig.Format.NCHW,
                ""));
    assertThat(config.outputs())
        .containsExactly(
            new TensorConfig("fc6_1", DataType.FP32, Shape.of(1000), "densenet_labels.txt"));
    assertThat(config.instanceGroups())
        .containsExactly(
            new InstanceGroup("", InstanceGroup.Kind.KIND_GPU, 2, List.of(0, 1)),
            new InstanceGroup("", InstanceGroup.Kind.KIND_CPU, 1, List.of()));
    assertThat(config.versionPolicy()).isEqualTo(new VersionPolicy.Specific(List.of(1L, 3L)));
    assertThat(config.warmups())
        .containsExactly(
            new Warmup(
                "zeros",
                4,
                1,
                Map.of(
                    "data_0",
                    new Warmup.Input(DataType.FP32, Shape.of(3, 224, 224), Warmup.Data.ZERO, ""))));
    assertThat(config.parameters()).containsExactly(Map.entry("session.x", "1"));
    assertThat(config.extensions())
        .isEqualTo(
            new Extensions(
                List.of(),
                2,
                0,
                0.5,
                Admission.DEFAULT,
                ProcessIsolation.DEFAULT,
                Isolation.NONE,
                ModelMemory.DEFAULT,
                ServiceLevel.DEFAULT,
                InstanceRange.FIXED,
                true,
                List.of(),
                Hedging.OFF,
                Rollout.NONE));
  }

  @Test
  void shouldMapDynamicBatching() throws IOException {
    Files.writeString(model.resolve("config.pbtxt"), DENSENET);

    QueuePolicy delayed =
        new QueuePolicy(QueuePolicy.TimeoutAction.DELAY, Duration.ZERO, false, 64);
    QueuePolicy urgent =
        new QueuePolicy(QueuePolicy.TimeoutAction.REJECT, Duration.ofMillis(5), true, 0);
    assertThat(ModelConfigReader.read(model).dynamicBatching())
        .contains(
            new DynamicBatching(
                List.of(4, 8), Duration.ofNanos(100_000), true, 2, 2, delayed, Map.of(1, urgent)));
  }

  @Test
  void shouldReadTheSameFromJsonAsFromPbtxt() throws IOException {
    Files.writeString(model.resolve("config.pbtxt"), DENSENET);
    String json =
        """
        {
          "name": "densenet_onnx",
          "platform": "onnxruntime_onnx",
          "max_batch_size": 8,
          "input": [{"name": "data_0", "data_type": "TYPE_FP32", "format": "FORMAT_NCHW",
                     "dims": ["3", 224, "224"]}],
          "output": [{"name": "fc6_1", "data_type": "TYPE_FP32", "dims": [1000],
                      "label_filename": "densenet_labels.txt"}],
          "instance_group": [{"count": 2, "kind": "KIND_GPU", "gpus": [0, 1]},
                             {"count": 1, "kind": "KIND_CPU"}],
          "dynamic_batching": {
            "preferred_batch_size": [4, 8], "max_queue_delay_microseconds": "100",
            "preserve_ordering": true, "priority_levels": 2, "default_priority_level": 2,
            "default_queue_policy": {"timeout_action": "DELAY", "max_queue_size": 64},
            "priority_queue_policy": {
              "1": {"default_timeout_microseconds": 5000, "allow_timeout_override": true}}},
          "version_policy": {"specific": {"versions": [1, "3"]}},
          "optimization": {"graph": {"level": 1}},
          "model_warmup": [{"name": "zeros", "batch_size": 4, "inputs": {
            "data_0": {"data_type": "TYPE_FP32", "dims": [3, 224, 224], "zero_data": true}}}],
          "parameters": {"session.x": {"string_value": "1"}},
          "conveyor": {"intra_op_threads": 2, "weight": 0.5, "reject_non_finite": true}
        }
        """;

    assertThat(ModelConfigReader.read("densenet_onnx", json))
        .isEqualTo(ModelConfigReader.read(model));
  }

  @Test
  void shouldReadPreprocessing() {
    ModelConfig config =
        ModelConfigReader.read(
            "m",
            """
            {"default_model_filename": "net.onnx", "conveyor": {"preprocessing": [
              {"input": "x", "mode": "LETTERBOX", "height": 480, "width": 640, "color": "BGR",
               "layout": "NHWC", "data_type": "TYPE_UINT8", "mean": [1, 2, 3.5],
               "scale": [0.5, 1e-2, 1], "pad_value": 114, "device": "GPU"},
              {"input": "y", "height": 1, "width": 2}]}}
            """);

    assertThat(config.modelFilename()).isEqualTo("net.onnx");
    assertThat(config.extensions().preprocessing())
        .containsExactly(
            new Preprocessing(
                "x",
                Preprocessing.Mode.LETTERBOX,
                480,
                640,
                Preprocessing.Color.BGR,
                Preprocessing.Layout.NHWC,
                DataType.UINT8,
                List.of(1.0, 2.0, 3.5),
                List.of(0.5, 0.01, 1.0),
                114,
                List.of(),
                List.of(),
                Preprocessing.Device.GPU),
            new Preprocessing(
                "y",
                Preprocessing.Mode.RESIZE,
                1,
                2,
                Preprocessing.Color.RGB,
                Preprocessing.Layout.NCHW,
                DataType.FP32,
                List.of(),
                List.of(),
                0));
  }

  @Test
  void shouldLeaveEverythingToTheModelWhenThereIsNoFile() {
    assertThat(ModelConfigReader.read(model)).isEqualTo(ModelConfig.empty("densenet_onnx"));
    assertThat(ModelConfigReader.file(model)).isEmpty();
  }

  @Test
  void shouldTellUnsetMaxBatchSizeFromZero() {
    assertThat(ModelConfigReader.read("m", "{}").maxBatchSize()).isEqualTo(ModelConfig.UNSET);
    assertThat(ModelConfigReader.read("m", "{\"max_batch_size\": 0}").maxBatchSize()).isZero();
  }

  @Test
  void shouldReadConfigJsonOfADirectory() throws IOException {
    Files.writeString(model.resolve("config.json"), "{\"max_batch_size\": 3}");

    assertThat(ModelConfigReader.read(model).maxBatchSize()).isEqualTo(3);
    assertThat(ModelConfigReader.file(model)).contains(model.resolve("config.json"));
  }

  @Test
  void shouldRefuseTwoFiles() throws IOException {
    Files.writeString(model.resolve("config.json"), "{}");
    Files.writeString(model.resolve("config.pbtxt"), "");

    assertThatThrownBy(() -> ModelConfigReader.read(model))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining(model.toString())
        .hasMessageContaining("both config.json and config.pbtxt");
  }

  @Test
  void shouldRefuseAFileThatIsNotText() throws IOException {
    Files.write(model.resolve("config.json"), new byte[] {(byte) 0xff, (byte) 0xfe, 0});

    assertThatThrownBy(() -> ModelConfigReader.read(model))
        .isInstanceOf(ConfigException.class)
        .hasMessage(model.resolve("config.json") + ": not UTF-8 text");
  }

  @Test
  void shouldRefuseADirectoryInPlaceOfAFile() throws IOException {
    Files.createDirectory(model.resolve("config.pbtxt"));

    assertThatThrownBy(() -> ModelConfigReader.read(model))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("config.pbtxt: cannot be read");
  }
}
