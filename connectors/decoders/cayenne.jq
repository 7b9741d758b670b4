# Cayenne LPP: channel, type, value, one behind the other (myDevices' README of CayenneLPP; types from 100 on that are not
# there are of its extension by Electronic Cats). Names are those that The Things Stack gives: temperature_3.
include "bytes";

# type: [name, bytes, signed, divisor]
def types: {
  "0": ["digital_in", 1, false, 1], "1": ["digital_out", 1, false, 1], "2": ["analog_in", 2, true, 100],
  "3": ["analog_out", 2, true, 100], "100": ["generic_sensor", 4, false, 1], "101": ["luminosity", 2, false, 1],
  "102": ["presence", 1, false, 1], "103": ["temperature", 2, true, 10], "104": ["relative_humidity", 1, false, 2],
  "115": ["barometric_pressure", 2, false, 10], "116": ["voltage", 2, false, 100], "117": ["current", 2, false, 1000],
  "118": ["frequency", 4, false, 1], "120": ["percentage", 1, false, 1], "121": ["altitude", 2, true, 1],
  "125": ["concentration", 2, false, 1], "128": ["power", 2, false, 1], "130": ["distance_m", 4, false, 1000],
  "131": ["energy", 4, false, 1000], "132": ["direction", 2, false, 1], "142": ["switch", 1, false, 1]};

def axes($at; $divisor): {x: (signed($at; 2) / $divisor), y: (signed($at + 2; 2) / $divisor), z: (signed($at + 4; 2) / $divisor)};

elements(.at as $at | (unsigned($at; 1) | tostring) as $channel | unsigned($at + 1; 1) as $type
  | types[$type | tostring] as $t
  | if $t then {size: (2 + $t[1]), members: {($t[0] + "_" + $channel): ((if $t[2] then signed($at + 2; $t[1])
      else unsigned($at + 2; $t[1]) end) / $t[3])}}
    elif $type == 113 then {size: 8, members: {("accelerometer_" + $channel): axes($at + 2; 1000)}}
    elif $type == 134 then {size: 8, members: {("gyrometer_" + $channel): axes($at + 2; 100)}}
    elif $type == 136 then {size: 11, members: {("gps_" + $channel): {latitude: (signed($at + 2; 3) / 10000),
      longitude: (signed($at + 5; 3) / 10000), altitude: (signed($at + 8; 3) / 100)}}}
    elif $type == 133 then {size: 6, members: {}}
    elif $type == 135 then {size: 5, members: {}}
    else error("an element of type \($type), which Cayenne LPP has not") end)
