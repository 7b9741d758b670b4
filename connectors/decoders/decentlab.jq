# Decentlab, protocol 2: version, device, flags, then for each flag the words of a group. Which groups those are only the
# model says: the argument, as in decentlab DL-CTD10 (data sheets of each model). Those with a range of their own want it
# behind the model: DL-PR26 pmin=0 pmax=1 (bar), DL-PR36 kp=8192.
include "bytes";

# A group: [words, [[name, word, offset, divisor, unit], ...]]
def battery: [1, [["battery_voltage", 0, 0, 1000, "V"]]];
def models($p): (($p.pmax // 1) - ($p.pmin // 0)) as $range | {
  "DL-CTD10": [[4, [["water_level", 0, 32768, 1, "mm"], ["water_temperature", 1, 32768, 10, "Cel"],
    ["conductivity", 2, 0, 1, "uS/cm"]]], battery],
  "DL-IAM": [battery, [2, [["temperature", 0, 16851.857142857142, 374.4857142857143, "Cel"],
    ["humidity", 1, 0, 655.35, "%"]]], [1, [["atmospheric_pressure", 0, 0, 50, "hPa"]]], [2, []],
    [3, [["co2", 0, 32768, 1, "ppm"]]], [1, [["activity", 0, 0, 1, "1"]]], [1, [["tvoc", 0, 0, 1, "ppb"]]]],
  "DL-LID": [[11, [["distance", 0, 0, 1, "mm"]]], battery],
  "DL-5TM": [[2, [["soil_temperature", 1, 400, 10, "Cel"]]], battery],
  "DL-TP": [[16, [range(16) | ["temperature_\(.)", ., 32768, 100, "Cel"]]], battery],
  "DL-ATM41": [[17, [["solar_radiation", 0, 32768, 1, "W/m2"], ["precipitation", 1, 32768, 1000, "mm"],
    ["wind_speed", 4, 32768, 100, "m/s"], ["wind_direction", 5, 32768, 10, "deg"],
    ["maximum_wind_speed", 6, 32768, 100, "m/s"], ["temperature", 7, 32768, 10, "Cel"],
    ["atmospheric_pressure", 9, 32768, 10, "hPa"], ["humidity", 10, 32768, 10, "%"]]], battery],
  "DL-PR26": [[2, [["waterPressure", 0, (16384 - ($p.pmin // 0) * 32768 / $range), (327.68 / $range), "kPa"], ["water_temperature", 1, 16384, 320, "Cel"]]], battery],
  "DL-PR36": [[2, [["waterPressure", 0, 32768, (($p.kp // 8192) / 100), "kPa"],
    ["water_temperature", 1, 32768, 256, "Cel"]]], battery]};

# Light and the water content of soil are no straight lines.
def illuminance($x): [$x[0] - 1.64 * $x[1], 0.59 * $x[0] - 0.86 * $x[1], 0] | max * 1.5504;
def water_content($e): 0.0000043 * $e * $e * $e - 0.00055 * $e * $e + 0.0292 * $e - 0.053;
def curved($model; $group; $x):
  if $model == "DL-IAM" and $group == 3 then {illuminance: {value: illuminance($x), unit: "lx"}}
  elif $model == "DL-5TM" and $group == 0 then {soil_moisture: {value: (water_content($x[0] / 50) * 100), unit: "%"}}
  else {} end;

(.argument | split(" ") | map(select(. != ""))) as $words | ($words[0] // "" | ascii_upcase) as $model
| ([$words[1:][] | split("=") | {(.[0]): (.[1] | tonumber)}] | add // {}) as $p
| models($p)[$model] as $groups
| if $groups == null then error("the argument must name one of its models: " + (models({}) | keys | join(", ")))
  elif unsigned(0; 1) != 2 then error("not version 2 of the protocol")
  else . as $frame
    | reduce range($groups | length) as $i ({at: 5, members: {}};
      . as $s | if $frame | bit(4 - ($i / 8 | floor); $i % 8) == 0 then . else
        [range($groups[$i][0]) | $s.at + 2 * . | . as $at | $frame | unsigned($at; 2)] as $x
        | {at: ($s.at + 2 * $groups[$i][0]), members: ($s.members + ([$groups[$i][1][]
            # a word of zeros where zero is in the middle: no sensor on that channel
            | select(.[2] != 32768 or $x[.[1]] != 0)
            | {(.[0]): {value: (($x[.[1]] - .[2]) / .[3]), unit: .[4]}}] | add // {}) + curved($model; $i; $x))} end)
    | .members end
