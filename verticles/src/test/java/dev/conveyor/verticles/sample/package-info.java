/** How another Vert.x application uses a server on its event bus. */
package dev.conveyor.verticles.sample;
