package dev.conveyor.verticles.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.admission.AdmissionRule.Preparation;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class DecodeBacklogTest {

  private final AtomicInteger workers = new AtomicInteger(1);
  private final DecodeBacklog backlog = new DecodeBacklog(workers::get);
  private final DecodeBacklog.OfModel photos = backlog.new OfModel();
  private final DecodeBacklog.OfModel icons = backlog.new OfModel();

  @Test
  void shouldPredictNothingWhileNoneWaits() {
    photos.took(4_000);
    assertThat(photos.ahead()).isEqualTo(Preparation.NONE);
    photos.enter();
    assertThat(photos.work()).as("it is the only one").isEqualTo(Preparation.NONE);
    photos.leave();
    assertThat(photos.ahead()).isEqualTo(Preparation.NONE);
  }

  @Test
  void shouldAddUpWhatAllModelsWaitFor() {
    photos.took(4_000);
    icons.took(1_000);
    photos.enter();
    icons.enter();
    icons.enter();

    assertThat(photos.ahead()).isEqualTo(new Preparation(1, 4_000 + 2 * 1_000 + 4_000));
    assertThat(icons.ahead()).isEqualTo(new Preparation(2, 4_000 + 2 * 1_000 + 1_000));
    assertThat(icons.work()).isEqualTo(new Preparation(0, 1_000));
    workers.set(2);
    assertThat(icons.ahead().ns()).isEqualTo(3_000 + 1_000);

    photos.took(12_000);
    assertThat(icons.ahead().ns()).as("5,000 each now").isEqualTo(3_500 + 1_000);
    photos.leave();
    icons.leave();
    icons.leave();
    assertThat(icons.ahead()).isEqualTo(Preparation.NONE);
  }

  @Test
  void shouldCountRequestsThatCameBeforeAnythingWasKnown() {
    photos.enter();
    photos.enter();
    assertThat(photos.ahead()).isEqualTo(Preparation.NONE);
    photos.took(4_000);
    assertThat(photos.ahead()).isEqualTo(new Preparation(2, 3 * 4_000));
  }

  @Test
  void shouldLetAModelWhoseFirstImageTookLongTryAgainBesideOthers() {
    photos.took(300_000_000);
    icons.took(1_000);
    icons.enter();

    assertThat(photos.ahead()).isEqualTo(new Preparation(0, 1_000));
    photos.enter();
    assertThat(photos.work()).isEqualTo(Preparation.NONE);
  }
}
