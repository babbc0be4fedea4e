package dev.conveyor.models.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ServerConfigReaderTest {

  @Test
  void shouldDefaultEveryKey() {
    ServerConfig config = ServerConfigReader.read("conveyor.json", "{}");

    assertThat(config).isEqualTo(ServerConfig.DEFAULT);
    assertThat(config.modelRepository()).isEqualTo(Path.of("conf/models"));
    assertThat(config.http()).isEqualTo(new ServerConfig.Listener("127.0.0.1", 8000));
    assertThat(config.grpc()).isEqualTo(new ServerConfig.Listener("127.0.0.1", 8001));
    assertThat(config.metrics()).isEqualTo(new ServerConfig.Listener("127.0.0.1", 8002));
    assertThat(config.limits())
        .isEqualTo(
            new ServerConfig.Limits(
                67_108_864,
                50_000_000,
                2048,
                4096,
                16_384,
                1_073_741_824,
                Duration.ofMinutes(1),
                Duration.ofMinutes(5),
                0));
    assertThat(config.tenants()).isEqualTo(Tenants.DEFAULT);
  }

  @Test
  void shouldMapEveryKey(@TempDir Path directory) throws IOException {
    Path file =
        Files.writeString(
            directory.resolve("conveyor.json"),
            """
            {
              "model_repository": "/srv/models",
              "http": {"host": "0.0.0.0", "port": 0},
              "grpc": {"port": 9001},
              "metrics": {"host": "::1"},
              "limits": {
                "max_message_bytes": 1024, "max_image_pixels": 100, "max_queue_size": 10,
                "max_connections": 11, "max_header_bytes": 2048, "request_memory_bytes": "4096",
                "body_timeout_ms": 1500, "load_timeout_ms": 2500,
                "max_shared_memory_regions": 12
              },
              "devices": {
                "cpu": {"cores": 3, "memory_budget_bytes": 123456789012},
                "gpu": {"enabled": false, "min_compute_capability": 8.9,
                        "memory_budget_bytes": 4294967296, "batches_in_flight": 9,
                        "spin": true, "placement": "planned"}
              },
              "event_bus": {"enabled": false, "address_prefix": "shop"},
              "profiles": {"warmup_ms": 0, "stored": false},
              "isolation": {"spare_workers": 3},
              "tenants": {
                "max_tracked": 7, "others": {"quota": {"requests_per_second": 5}},
                "named": {"gold": {"weight": 3, "quota": {"requests_per_second": 9, "burst": 2}}}
              },
              "shutdown_grace_ms": 250,
              "log_format": "json"
            }
            """);

    assertThat(ServerConfigReader.read(file))
        .isEqualTo(
            new ServerConfig(
                Path.of("/srv/models"),
                new ServerConfig.Listener("0.0.0.0", 0),
                new ServerConfig.Listener("127.0.0.1", 9001),
                new ServerConfig.Listener("::1", 8002),
                new ServerConfig.Limits(
                    1024,
                    100,
                    10,
                    11,
                    2048,
                    4096,
                    Duration.ofMillis(1500),
                    Duration.ofMillis(2500),
                    12),
                new ServerConfig.Devices(
                    new ServerConfig.Cpu(3, 123_456_789_012L),
                    new ServerConfig.Gpu(
                        false, 89, 4_294_967_296L, 9, true, ServerConfig.Placement.PLANNED)),
                new ServerConfig.EventBus(false, "shop"),
                new Tenants(
                    7,
                    new Tenants.Tenant(1, new Quota(5, 5)),
                    Map.of("gold", new Tenants.Tenant(3, new Quota(9, 2)))),
                new ServerConfig.Profiles(Duration.ZERO, false),
                new ServerConfig.Isolation(3),
                Duration.ofMillis(250),
                ServerConfig.LogFormat.JSON));
  }

  @Test
  void shouldLetRequestMemoryHoldTheLargestMessage() {
    ServerConfig config =
        ServerConfigReader.read("f", "{\"limits\": {\"max_message_bytes\": 2000000000}}");

    assertThat(config.limits().requestMemoryBytes()).isEqualTo(2_000_000_000);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{'htp': {}} | htp | unknown key, did you mean \"http\"?",
        "{'http': {'prot': 1}} | http.prot | did you mean \"port\"?",
        "{'http': {'port': 70000}} | http.port | expected 0 to 65535, found 70000",
        "{'http': {'port': '8000'}} | http.port | found \"8000\"",
        "{'http': {'host': ''}} | http.host | expected a host name or address, found \"\"",
        "{'model_repository': ' '} | model_repository | expected a path",
        "{'model_repository': '\\u0000'} | model_repository | not a path",
        "{'limits': {'max_message_bytes': 0}} | limits.max_message_bytes | found 0",
        "{'limits': {'max_message_bytes': 10, 'request_memory_bytes': 9}} | limits.request_memory_bytes | expected 10 or more, found 9",
        "{'devices': {'cpu': {'cores': -1}}} | devices.cpu.cores | expected 0 or more",
        "{'isolation': {'spare_workers': 65}} | isolation.spare_workers | expected at most 64",
        "{'devices': {'gpu': {'min_compute_capability': 8.95}}} | devices.gpu.min_compute_capability | expected a version",
        "{'devices': {'gpu': {'batches_in_flight': 0}}} | devices.gpu.batches_in_flight | expected 1 or more",
        "{'devices': {'gpu': {'placement': 'auto'}}} | devices.gpu.placement | expected \"fixed\" or \"planned\", found \"auto\"",
        "{'log_format': 'xml'} | log_format | expected \"text\" or \"json\", found \"xml\"",
        "{'profiles': {'warmup_ms': -1}} | profiles.warmup_ms | found -1",
        "{'profiles': {'warmup_ms': 600001}} | profiles.warmup_ms | at most 600000",
        "{'tenants': {'named': {'a': {'weight': -1}}}} | tenants.named.a.weight | found -1",
        "{'tenants': {'others': {'quota': {'requests_per_second': 1, 'burst': 0}}}} | tenants.others.quota.burst | expected a number from 1",
        "{'limits': {'body_timeout_ms': 0}} | limits.body_timeout_ms | expected 1 or more, found 0",
        "{'shutdown_grace_ms': -5} | shutdown_grace_ms | found -5",
      })
  void shouldNameKeyExpectedAndFoundWhenAValueIsWrong(String json, String key, String problem) {
    assertThatThrownBy(() -> ServerConfigReader.read("c.json", json.replace('\'', '"')))
        .isInstanceOf(ConfigException.class)
        .hasMessageStartingWith("c.json:1: " + key + ": ")
        .hasMessageContaining(problem);
  }

  @Test
  void shouldNameTheFileThatIsMissing(@TempDir Path directory) {
    Path file = directory.resolve("none.json");

    assertThatThrownBy(() -> ServerConfigReader.read(file))
        .isInstanceOf(ConfigException.class)
        .hasMessageStartingWith(file + ": cannot be read");
  }
}
