/**
 * The live page for operators, served at {@code /} by the HTTP front end.
 *
 * <ul>
 *   <li>To serve it: one {@link dev.conveyor.verticles.page.LivePage} per server, mounted on the
 *       router of every HTTP front end. Close it before the HTTP servers: its streams are requests
 *       that never end by themselves.
 *   <li>To choose what it shows: {@link dev.conveyor.verticles.page.PageSource}; {@link
 *       dev.conveyor.verticles.page.LiveFigures} shows a Conveyor server.
 * </ul>
 *
 * <p>The page itself is in the resources under {@code page/}: plain HTML, CSS and JavaScript that
 * load nothing from other hosts.
 */
@NullMarked
package dev.conveyor.verticles.page;

import org.jspecify.annotations.NullMarked;
