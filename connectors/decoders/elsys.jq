# Elsys ERS, ELT, EMS: type and value, one behind the other; numbers are the highest byte first (Elsys' description of its
# payload). The names are those of its own decoder. A type with the bits of a time offset is not read.
include "bytes";

# type: [name, bytes, signed, divisor]; no name: passed over
def types: {
  "1": ["temperature", 2, true, 10], "2": ["humidity", 1, false, 1], "3": [null, 3], "4": ["light", 2, false, 1],
  "5": ["motion", 1, false, 1], "6": ["co2", 2, false, 1], "7": ["vdd", 2, false, 1], "8": ["analog1", 2, false, 1],
  "9": [null, 6], "10": ["pulse1", 2, false, 1], "11": ["pulseAbs", 4, false, 1],
  "12": ["externalTemperature", 2, true, 10], "13": ["digital", 1, false, 1], "14": ["distance", 2, false, 1],
  "15": ["accMotion", 1, false, 1], "17": ["occupancy", 1, false, 1], "18": ["waterleak", 1, false, 1], "19": [null, 65],
  "20": ["pressure", 4, false, 1000], "22": ["pulse2", 2, false, 1], "23": ["pulseAbs2", 4, false, 1],
  "24": ["analog2", 2, false, 1], "25": ["externalTemperature2", 2, true, 10], "26": ["digital2", 1, false, 1],
  "27": [null, 4], "28": ["tvoc", 2, false, 1], "61": [null, 4]};

def unit: {"analog1": "mV", "analog2": "mV", "tvoc": "ppb"};

elements(.at as $at | unsigned($at; 1) as $type | types[$type | tostring] as $t
  | if $type == 16 then {size: 5, members: {irInternalTemperature: (signed($at + 1; 2) / 10),
      irExternalTemperature: (signed($at + 3; 2) / 10)}}
    elif $type == 21 then {size: 3, members: {soundPeak: unsigned($at + 1; 1), soundAvg: unsigned($at + 2; 1)}}
    elif $t == null then error("an element of type \($type), which it does not know")
    elif $t[0] == null then {size: (1 + $t[1]), members: {}}
    else (if $t[2] then signed($at + 1; $t[1]) else unsigned($at + 1; $t[1]) end) as $v
      | {size: (1 + $t[1]), members: {($t[0]): (if unit[$t[0]] then {value: ($v / $t[3]), unit: unit[$t[0]]}
        else $v / $t[3] end)}} end)
