package dev.conveyor.verticles.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.joran.JoranConfigurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.LoggingEvent;
import ch.qos.logback.classic.util.LogbackMDCAdapter;
import ch.qos.logback.core.Appender;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.joran.spi.JoranException;
import io.vertx.core.json.JsonObject;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class LogConfigurationTest {

  @Test
  void shouldWriteLinesForPeopleByDefault() throws JoranException {
    String line = write(configure(""), "model \"a\" is ready");
    assertThat(line).contains("INFO").contains("Foo").endsWith("model \"a\" is ready\n");
  }

  @Test
  void shouldWriteOneObjectPerLineWhenAskedForJson() throws JoranException {
    String line = write(configure("json"), "model \"a\"\nis ready");
    assertThat(line.indexOf('\n')).isEqualTo(line.length() - 1);
    JsonObject object = new JsonObject(line);
    assertThat(object.getString("level")).isEqualTo("INFO");
    assertThat(object.getString("loggerName")).isEqualTo("dev.conveyor.Foo");
    assertThat(object.getString("formattedMessage")).isEqualTo("model \"a\"\nis ready");
  }

  @Test
  void shouldQuietLibrariesAndWriteToStandardError() throws JoranException {
    LoggerContext context = configure("");
    assertThat(context.getLogger("io.netty.channel").isInfoEnabled()).isFalse();
    assertThat(context.getLogger("com.hazelcast.core").isInfoEnabled()).isFalse();
    assertThat(context.getLogger("dev.conveyor.x").isInfoEnabled()).isTrue();
    assertThat(appender(context).getTarget()).isEqualTo("System.err");
  }

  private static LoggerContext configure(String format) throws JoranException {
    LoggerContext context = new LoggerContext();
    context.setMDCAdapter(new LogbackMDCAdapter());
    if (!format.isEmpty()) {
      context.putProperty("CONVEYOR_LOG", format);
    }
    JoranConfigurator configurator = new JoranConfigurator();
    configurator.setContext(context);
    configurator.doConfigure(LogConfigurationTest.class.getResource("/logback.xml"));
    return context;
  }

  private static String write(LoggerContext context, String message) {
    Logger logger = context.getLogger("dev.conveyor.Foo");
    LoggingEvent event =
        new LoggingEvent("caller", logger, Level.INFO, message, null, new Object[0]);
    byte[] bytes = appender(context).getEncoder().encode(event);
    return new String(bytes, StandardCharsets.UTF_8);
  }

  private static ConsoleAppender<ILoggingEvent> appender(LoggerContext context) {
    List<Appender<ILoggingEvent>> appenders = new ArrayList<>();
    context
        .getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME)
        .iteratorForAppenders()
        .forEachRemaining(appenders::add);
    assertThat(appenders).hasSize(1);
    return (ConsoleAppender<ILoggingEvent>) appenders.get(0);
  }
}
