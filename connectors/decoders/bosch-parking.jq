# Bosch parking lot sensor: bit 0 is whether somebody stands there; with the heartbeat (port 2) comes a temperature, behind
# the data of a start (port 3) the state as well.
include "bytes";

if .port == 1 then {occupied: (bit(0; 0) == 1)}
elif .port == 2 then {occupied: (bit(0; 0) == 1)} + (if size > 1 then {temperature: signed(1; 1)} else {} end)
elif .port == 3 then {occupied: (bit(16; 0) == 1)}
else error("port \(.port) has no values") end
